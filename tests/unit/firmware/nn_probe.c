/* The functions of firmware/nn over arrays, for tests on the host. */
#include "midge_nn.h"
#include "midge_nn_float.h"
#include "midge_nn_exp.h"
#include "midge_nn_softmax.h"

#define EXPORT __attribute__((visibility("default")))

EXPORT void high_mul(int n, const int32_t *a, const int32_t *b, int32_t *out) {
    for (int i = 0; i < n; ++i) {
        out[i] = midge_high_mul(a[i], b[i]);
    }
}

EXPORT void divide_by_pot(int n, const int32_t *x, const int32_t *exponent, int32_t *out) {
    for (int i = 0; i < n; ++i) {
        out[i] = midge_divide_by_pot(x[i], (int)exponent[i]);
    }
}

EXPORT void requantize(int n, const int32_t *x, const int32_t *multiplier, const int32_t *shift, int32_t *out) {
    for (int i = 0; i < n; ++i) {
        out[i] = midge_requantize(x[i], multiplier[i], (int)shift[i]);
    }
}

EXPORT void scale_down(int n, const int32_t *x, const int32_t *multiplier, const int32_t *right, int32_t *out) {
    for (int i = 0; i < n; ++i) {
        out[i] = midge_scale_down(x[i], multiplier[i], (int)right[i]);
    }
}

EXPORT void divide(int n, const int32_t *x, const int32_t *divisor, int32_t *out) {
    for (int i = 0; i < n; ++i) {
        out[i] = midge_divide(x[i], divisor[i]);
    }
}

EXPORT void taps(int n, const int32_t *start, const int32_t *dilation, const int32_t *count, const int32_t *size,
                 int32_t *first, int32_t *end) {
    for (int i = 0; i < n; ++i) {
        first[i] = midge_first_tap((int)start[i], (int)dilation[i]);
        end[i] = midge_end_tap((int)start[i], (int)dilation[i], (int)count[i], (int)size[i]);
    }
}

EXPORT void reciprocal(int n, const uint32_t *denominator, int32_t *out) {
    for (int i = 0; i < n; ++i) {
        out[i] = midge_reciprocal(denominator[i]);
    }
}

EXPORT void exp_q5(int n, const int32_t *x, int32_t *out) {
    for (int i = 0; i < n; ++i) {
        out[i] = midge_exp_q5(x[i]);
    }
}

EXPORT void softmax_ratio(int n, const int32_t *exponential, const int32_t *sum, int32_t *out) {
    for (int i = 0; i < n; ++i) {
        const int zeros = midge_leading_zeros((uint32_t)sum[i]);
        out[i] = midge_softmax_ratio(exponential[i], midge_reciprocal((uint32_t)sum[i] << zeros), zeros);
    }
}

EXPORT void exp_float(int n, const float *x, float *out) {
    for (int i = 0; i < n; ++i) {
        out[i] = midge_exp(x[i]);
    }
}

EXPORT void logistic_float(int n, const float *x, float *out) {
    for (int i = 0; i < n; ++i) {
        out[i] = midge_logistic(x[i]);
    }
}

EXPORT void tanh_float(int n, const float *x, float *out) {
    for (int i = 0; i < n; ++i) {
        out[i] = midge_tanh(x[i]);
    }
}

EXPORT void sqrt_float(int n, const float *x, float *out) {
    for (int i = 0; i < n; ++i) {
        out[i] = midge_sqrt(x[i]);
    }
}

EXPORT void rsqrt_float(int n, const float *x, float *out) {
    for (int i = 0; i < n; ++i) {
        out[i] = midge_rsqrt(x[i]);
    }
}

EXPORT void log_float(int n, const float *x, float *out) {
    for (int i = 0; i < n; ++i) {
        out[i] = midge_log(x[i]);
    }
}

EXPORT void erf_float(int n, const float *x, float *out) {
    for (int i = 0; i < n; ++i) {
        out[i] = midge_erf(x[i]);
    }
}

EXPORT void elu_float(int n, const float *x, float *out) {
    for (int i = 0; i < n; ++i) {
        out[i] = midge_elu(x[i]);
    }
}

EXPORT void quantize_float(int n, const float *x, const float *scale, const int32_t *zero_point, int32_t *out) {
    for (int i = 0; i < n; ++i) {
        out[i] = midge_quantize(x[i], scale[i], zero_point[i]);
    }
}
