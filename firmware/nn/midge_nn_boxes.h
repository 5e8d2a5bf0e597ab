/* Boxes that overlap, of which the best are kept. Mirrors midge.numerics.suppression. */
#ifndef MIDGE_NN_BOXES_H
#define MIDGE_NN_BOXES_H

#include <math.h>

#include "midge_nn_float.h"

typedef struct {
    float top, left, bottom, right;
} midge_box;

/* How boxes are kept: at most `most`; not with more than `overlap` of the union in common with a better one, nor with
 * that itself when `strict`; where `factor` is not 0 an overlap lowers the score by e^(factor * overlap^2), and what
 * falls to `least` is dropped. */
typedef struct {
    int most;
    float overlap, least, factor;
    int strict;
} midge_suppression;

/* A box of two opposite corners (y1, x1, y2, x2). */
static inline midge_box midge_box_between(float y1, float x1, float y2, float x2) {
    const midge_box box = {y1 < y2 ? y1 : y2, x1 < x2 ? x1 : x2, y1 < y2 ? y2 : y1, x1 < x2 ? x2 : x1};
    return box;
}

/* Box `index` of an array of floats: two opposite corners, or a middle, a width and a height (x, y, w, h). */
static inline midge_box midge_corner_box(const void *boxes, int index) {
    const float *at = (const float *)boxes + 4 * index;
    return midge_box_between(at[0], at[1], at[2], at[3]);
}
static inline midge_box midge_centered_box(const void *boxes, int index) {
    const float *at = (const float *)boxes + 4 * index;
    const float half_w = at[2] / 2.0f, half_h = at[3] / 2.0f;
    return midge_box_between(at[0] - half_w, at[1] - half_h, at[0] + half_w, at[1] + half_h);
}

/* Boxes as a detector gives them: `depth` floats for each, of which four say how far off an anchor (y, x, h, w) it is,
 * in units of `scale`; sizes by their logarithm. */
typedef struct {
    const float *codes;
    const MIDGE_FLASH float *anchors;
    int depth;
    float scale[4];
} midge_anchored;

static inline midge_box midge_anchored_box(const void *boxes, int index) {
    const midge_anchored *from = (const midge_anchored *)boxes;
    const float *code = from->codes + from->depth * index;
    const MIDGE_FLASH float *anchor = from->anchors + 4 * index;
    const float down = code[0] / from->scale[0] * anchor[2];
    const float right = code[1] / from->scale[1] * anchor[3];
    const float y = down + anchor[0], x = right + anchor[1];
    const float half_h = 0.5f * midge_exp(code[2] / from->scale[2]) * anchor[2];
    const float half_w = 0.5f * midge_exp(code[3] / from->scale[3]) * anchor[3];
    return midge_box_between(y - half_h, x - half_w, y + half_h, x + half_w);
}

/* What of their union two boxes have in common; 0 where one has no area. */
static inline float midge_overlap(midge_box a, midge_box b) {
    const float area_a = (a.bottom - a.top) * (a.right - a.left);
    const float area_b = (b.bottom - b.top) * (b.right - b.left);
    const float height = (a.bottom < b.bottom ? a.bottom : b.bottom) - (a.top > b.top ? a.top : b.top);
    const float width = (a.right < b.right ? a.right : b.right) - (a.left > b.left ? a.left : b.left);
    const float common = (height > 0.0f ? height : 0.0f) * (width > 0.0f ? width : 0.0f);
    const float areas = area_a + area_b;
    const float both = areas - common;
    return area_a > 0.0f && area_b > 0.0f && both > 0.0f ? common / both : 0.0f;
}

/* The first of the largest of the scores that are numbers; -1 where none is. */
static inline int midge_best_score(const float *scores, int count) {
    int best = -1;
    for (int i = 0; i < count; ++i) {
        if (best < 0 ? scores[i] == scores[i] : scores[i] > scores[best]) {
            best = i;
        }
    }
    return best;
}

/* Keeps boxes of `count`, best first: their indices to `chosen`, `stride` apart, and their scores to `kept` unless it
 * is null. Returns how many. `scores` are used up; those that are not numbers do not count. `met`, one for each box, is
 * needed with a factor only, else null. */
static inline int midge_suppress(const void *boxes, midge_box (*box_of)(const void *, int), float *scores, int count,
                                 midge_suppression how, int32_t *met, int32_t *chosen, int stride, float *kept) {
    int found = 0;
    for (int i = 0; met && i < count; ++i) {
        met[i] = 0;
    }
    while (found < how.most) {
        const int best = midge_best_score(scores, count);
        if (best < 0) {
            break;
        }
        const midge_box box = box_of(boxes, best);
        const float before = scores[best];
        float score = before;
        int drop = 0;
        scores[best] = NAN;
        for (int j = found - 1; j >= (met ? met[best] : 0); --j) {
            const float common = midge_overlap(box, box_of(boxes, chosen[j * stride]));
            drop = common > how.overlap || (how.strict && common == how.overlap);
            if (drop) {
                break;
            }
            if (met) {
                score *= midge_exp(how.factor * common * common);
                if (score <= how.least) {
                    break;
                }
            }
        }
        if (met) {
            met[best] = found;
        }
        if (!drop && score == before) {
            chosen[found * stride] = best;
            if (kept) {
                kept[found] = score;
            }
            ++found;
        } else if (!drop && score > how.least) {
            scores[best] = score;
        }
    }
    return found;
}

#endif
