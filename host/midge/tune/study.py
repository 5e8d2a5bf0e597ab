"""The trials of a search, kept by Optuna: a database that survives a kill and that several machines can share.

Optuna stores, hands out and samples; what to try first comes from midge.tune.proposals. Its heartbeats tell the trials
of a process that was killed from those that are under way, so that the former are done again.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from midge.boards import Board
from midge.errors import MidgeError, MissingExtraError, SettingsError
from midge.run.devices import require_twin
from midge.tune.proposals import Budgets, Key, Options, key
from midge.tune.recipe import Measured

if TYPE_CHECKING:
    import optuna

# What is made as small as possible, in the order of a trial's values.
GOALS = ("error", "flash_bytes", "ram_bytes", "cycles")
_MEASURED, _REFUSED = "measured", "refused"
_HEARTBEAT_SECONDS, _STALE_SECONDS = 10, 40
_LOCK_SECONDS = 60
_URL_HINT = "a file of your own, or a URL as in sqlite:///FILE, postgresql://USER@HOST/NAME"


@dataclass(frozen=True)
class Trials:
    """What a study knows: measured recipes, and those `taken` (measured, under way, or impossible with the reason)."""

    done: Mapping[Key, Measured]
    refused: Mapping[Key, str]
    taken: frozenset[Key]

    @property
    def finished(self) -> int:
        """How many recipes were decided on."""
        return len(self.done) + len(self.refused)


class Study:
    """A study by its storage and name, made when it is new. Raises MissingExtraError, SettingsError."""

    def __init__(self, storage: str, name: str, seed: int = 0, budgets: Budgets | None = None) -> None:
        self._optuna = _optuna()
        self._sampler = _sampler(self._optuna, seed, budgets or Budgets())
        try:
            self._study = self._optuna.create_study(
                storage=_storage(self._optuna, storage),
                study_name=name,
                load_if_exists=True,
                directions=["minimize"] * len(GOALS),
                sampler=self._sampler,
            )
        except Exception as problem:  # whatever the database's driver raises
            reason = str(problem).strip().splitlines()[0][:200]
            raise SettingsError(f"the study {storage} cannot be opened: {reason}", hint=_URL_HINT) from problem

    def trials(self) -> Trials:
        """What is known now, whichever process found it."""
        state = self._optuna.trial.TrialState
        done: dict[Key, Measured] = {}
        refused: dict[Key, str] = {}
        taken: set[Key] = set()
        for trial in self._study.get_trials(deepcopy=False):
            recipe = key(trial.params)
            if trial.state is state.COMPLETE:
                done[recipe] = Measured(**trial.user_attrs[_MEASURED])
            elif trial.state is state.FAIL and _REFUSED in trial.user_attrs:
                refused[recipe] = trial.user_attrs[_REFUSED]
            elif trial.state is state.FAIL:
                continue
            taken.add(recipe)
        return Trials(done, refused, frozenset(taken))

    def run(self, options: Options, recipe: Mapping[str, str] | None, measure: Callable[..., Measured]) -> None:
        """One trial: of `recipe`, or of what Optuna's sampler thinks of. A MidgeError of `measure` refuses a recipe."""
        # Not by Optuna's queue: two processes may take the same trial from it where the database is SQLite.
        fixed = self._optuna.samplers.PartialFixedSampler
        self._study.sampler = self._sampler if recipe is None else fixed(dict(recipe), self._sampler)

        def objective(trial: optuna.Trial) -> tuple[float, ...]:
            chosen = {part: str(trial.suggest_categorical(part, values)) for part, values in options.items()}
            found = self.trials().done.get(key(chosen))
            try:
                found = found or measure(chosen)
            except MidgeError as problem:
                trial.set_user_attr(_REFUSED, problem.message)
                raise
            trial.set_user_attr(_MEASURED, asdict(found))
            return tuple(float(getattr(found, goal)) for goal in GOALS)

        self._study.optimize(objective, n_trials=1, catch=(MidgeError,))


def sqlite_url(path: Path) -> str:
    """The storage that is a file."""
    return f"sqlite:///{path}"


def require_tools(board: Board) -> None:
    """Raises now what a search would raise when much is done: MissingExtraError, BoardError, ToolchainError."""
    _optuna()
    require_twin(board)


def _optuna() -> Any:
    try:
        import optuna
    except ImportError as problem:
        raise MissingExtraError(
            "a search keeps its trials with Optuna, which is not installed", hint='pip install "midge[search]"'
        ) from problem
    warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
    optuna.logging.set_verbosity(optuna.logging.CRITICAL)
    return optuna


def _storage(optuna: Any, url: str) -> Any:
    engine = {"connect_args": {"timeout": _LOCK_SECONDS}} if url.startswith("sqlite") else {}
    return optuna.storages.RDBStorage(
        url, engine_kwargs=engine, heartbeat_interval=_HEARTBEAT_SECONDS, grace_period=_STALE_SECONDS
    )


def _sampler(optuna: Any, seed: int, budgets: Budgets) -> Any:
    """Optuna's tree-structured Parzen estimator, told by how much a trial exceeds the budgets."""

    def excess(trial: Any) -> tuple[float, ...]:
        found = Measured(**trial.user_attrs[_MEASURED])
        return (
            found.flash_bytes - budgets.flash_bytes,
            found.ram_bytes - budgets.ram_bytes,
            found.cycles - budgets.cycles,
            found.drop - budgets.drop,
        )

    return optuna.samplers.TPESampler(
        n_startup_trials=1, multivariate=True, constant_liar=True, seed=seed, constraints_func=excess
    )
