"""A posterior model beside the library BayesFlow: same rows, same processor time, same inputs, one pattern of them.

pip install -c constraints.txt bayesflow keras                         # in an environment of its own
KERAS_BACKEND=torch python scripts/beside_bayesflow.py --output runs/beside_bayesflow     # eight minutes of one core

BayesFlow (a coupling flow of splines, with the options that it comes with) and a posterior model, told to learn this
pattern alone, are both trained from nothing on the same simulated rows, each for about the same processor time; both
are given the same standardized features. Beside them stands a finished posterior model, which answers every pattern and
every level of errors. Rows that none has seen tell

- **nll**: mean negative logarithm of the density of the true recipes in the unit box, in nats, with its standard error;
- **50 %**, **90 %**: coverage of the central intervals, mean of the values, with the standard error of one value;
- **c2st**: how often a classifier tells samples from those of `polyinv.posterior.exact`, median and mean of a few rows;
- **width**: standard deviation over that of the exact samples, median of the values and of those rows.

Exact samples that are done are found again.
"""

import argparse
import logging
import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pandas as pd
import torch
from torch import Tensor

import polyinv
from polyinv.chemistry import DEFAULT, load_system
from polyinv.data.datamodule import RecipeDataModule
from polyinv.data.features import feature_columns
from polyinv.data.laboratory import random_observations
from polyinv.data.rows import Rows
from polyinv.models.options import Training
from polyinv.models.posterior import Posterior
from polyinv.posterior.checks import SEED
from polyinv.posterior.comparison import c2st, width_ratios
from polyinv.posterior.exact import exact_posteriors
from polyinv.posterior.ranks import central_coverage, sbc_ranks
from polyinv.report.tables import markdown
from polyinv.runtime.files import written
from polyinv.runtime.threads import one_thread
from polyinv.simulate.recipes import box

SYSTEM = load_system(DEFAULT)
PATTERN, LEVEL, CHAINS = "composite+temp", "exact", 1e6
OPEN = [0, 1, 3]
"""Values that the pattern leaves open."""
ORDER = ("composite+temp", "composite+temp+time", "composite+temp+time+cAIBN_0")
"""What a posterior model has to learn for this pattern: it draws one value after the other."""
FEATURES = "conditional+errors+chains"
COLUMNS = feature_columns(FEATURES, SYSTEM)
PART, PARTS = 500, 1_000
"""Rows that are drawn at once, and a number that seeds of one table are apart by."""
FEWEST, MOST = 1e5, 1e7
BATCH, RATE = 512, 1e-3
SOME = 10
"""Part of the rows by which a training is timed."""
MISSING = "this needs BayesFlow, which is not installed: pip install -c constraints.txt bayesflow keras"


@dataclass(frozen=True)
class Drawn:
    """Rows (N, F) with every value of the recipe, exactly, the same as the pattern leaves them, and recipes (N, V)."""

    whole: Tensor
    given: Tensor
    recipes: Tensor

    def first(self, rows: int) -> "Drawn":
        """The first rows."""
        return Drawn(self.whole[:rows], self.given[:rows], self.recipes[:rows])


class Answers(Protocol):
    """What is asked of a posterior."""

    def __call__(self, x: Tensor, recipes: Tensor, samples: int) -> tuple[Tensor, Tensor]:
        """Samples (S, N, O) in the unit box, and the log density there of recipes (N, V), which is (N,)."""


def drawn(parts: int, seed: int) -> Drawn:
    """Rows of random recipes, of each number of chains in turn: told one alone, chains would tell the recipe."""
    shares = np.random.default_rng(seed).random(parts)
    chains = FEWEST * (MOST / FEWEST) ** shares
    found = [random_observations(PART, LEVEL, many, seed + PARTS * at) for at, many in enumerate(chains, start=1)]
    whole, given = (
        torch.cat([each.x(COLUMNS) for each in rows])
        for rows in ([rows for _, rows in found], [rows.masked(PATTERN) for _, rows in found])
    )
    return Drawn(whole, given, torch.cat([recipes for recipes, _ in found]))


def in_box(recipes: Tensor) -> Tensor:
    """Open values (*, O) of recipes (*, V), in the unit box."""
    low, high = box(SYSTEM)
    return ((recipes - low) / (high - low))[..., OPEN]


def of_model(model: Posterior) -> Answers:
    """Answers of a posterior model."""
    low, high = box(SYSTEM)

    def answers(x: Tensor, recipes: Tensor, samples: int) -> tuple[Tensor, Tensor]:
        posterior = model.posterior_of(x)
        density = posterior.log_prob(recipes) + (high - low).log()[OPEN].sum()
        return in_box(posterior.sample((samples,))), density

    return answers


def trained_model(train: Drawn, val: Drawn, epochs: int) -> Answers:
    """Posterior model, trained for so many epochs on what it has to know for the pattern."""
    training = Training(
        learning_rate=RATE,
        schedule="cosine",
        weight_decay=0.01,
        clip=1.0,
        batch_size=BATCH,
        max_epochs=epochs,
        patience=epochs,
        loss="density",
        accelerator="cpu",
    )
    model = Posterior(training=training)
    model.fit(_module(train, val, patterns=dict.fromkeys(ORDER, 1.0)))
    return of_model(model)


def _module(train: Drawn, val: Drawn, **options: Any) -> RecipeDataModule:
    rows = [Rows(part.whole, part.recipes) for part in (train, val, val)]
    return RecipeDataModule.from_rows(FEATURES, *rows, **options)


def trained_flow(train: Drawn, val: Drawn, epochs: int) -> Answers:
    """BayesFlow, trained for so many epochs."""
    import bayesflow

    scaling = _module(train, val).fit_scaling("moments")
    varies = scaling(train.given).std(0) > 0

    def asked(x: Tensor) -> dict[str, np.ndarray]:
        return {"x": scaling(x)[:, varies].numpy()}

    def told(part: Drawn) -> dict[str, np.ndarray]:
        return asked(part.given) | {"recipe": in_box(part.recipes).numpy()}

    adapter = (
        bayesflow.Adapter()
        .convert_dtype("float64", "float32")
        .constrain("recipe", lower=0, upper=1)
        .rename("recipe", "inference_variables")
        .rename("x", "inference_conditions")
    )
    flow = bayesflow.BasicWorkflow(
        adapter=adapter,
        inference_network=bayesflow.networks.CouplingFlow(transform="spline"),
        initial_learning_rate=RATE,
        standardize="all",
    )
    flow.fit_offline(told(train), epochs=epochs, batch_size=BATCH, validation_data=told(val), verbose=0)

    def answers(x: Tensor, recipes: Tensor, samples: int) -> tuple[Tensor, Tensor]:
        found = flow.sample(num_samples=samples, conditions=asked(x))["recipe"]
        density = flow.log_prob(asked(x) | {"recipe": in_box(recipes).numpy()})
        return torch.from_numpy(found).double().transpose(0, 1), torch.from_numpy(density).double()

    return answers


def within(seconds: float, fit: Callable[..., Answers], train: Drawn, val: Drawn) -> tuple[Answers, str]:
    """Train for about so much processor time, by what one epoch of some rows takes and what nine do; and how long."""
    some = [train.first(len(train.recipes) // SOME), val.first(len(val.recipes) // SOME)]
    one, nine = (_seconds(fit, *some, epochs=epochs)[1] for epochs in (1, 9))
    found, spent = _seconds(fit, train, val, epochs=max(1, round(seconds / ((nine - one) / 8 * SOME))))
    return found, f"{spent:.0f} s"


def _seconds(fit: Callable[..., Answers], *rows: Drawn, epochs: int) -> tuple[Answers, float]:
    start = time.process_time()
    found = fit(*rows, epochs=epochs)
    spent = time.process_time() - start
    logging.info("%s: %d epochs in %.1f s", fit.__name__, epochs, spent)
    return found, spent


def line(answers: Answers, test: Drawn, exact: Tensor, samples: int) -> dict[str, str]:
    """Numbers of one posterior; `exact` are samples (T, n, O) of the first n rows, in the unit box."""
    found, density = answers(test.given, test.recipes, samples)
    coverage = central_coverage(sbc_ranks(found, in_box(test.recipes)), (0.5, 0.9))
    rows = exact.shape[1]
    few, _ = answers(test.given[:rows], test.recipes[:rows], len(exact))
    apart, ratios = c2st(few, exact), width_ratios(few, exact)
    shares = zip(coverage.coverage.mean(1).tolist(), coverage.standard_error[:, 0].tolist(), strict=True)
    half, most = (f"{share:.3f} ± {error:.3f}" for share, error in shares)
    return {
        "nll": f"{-density.mean():.3f} ± {density.std() / len(density) ** 0.5:.3f}",
        "50 %": half,
        "90 %": most,
        "c2st": f"{apart.median():.2f}, {apart.mean():.2f}",
        "width": f"{ratios.median():.2f}",
    }


def asked_rows(rows: int, exact: int, folder: Path) -> tuple[Drawn, Tensor]:
    """Rows to ask about, and exact samples (T, n, O) of the first of them, in the unit box."""
    recipes, observations = random_observations(rows, LEVEL, CHAINS, SEED)
    given, file = observations.masked(PATTERN), folder / f"exact-{rows}-{exact}.pt"
    if not file.is_file():
        found = exact_posteriors(given[:exact], chains=given[:exact].chains)
        with written(file) as passing:
            torch.save(torch.stack([each.samples for each in found], dim=1), passing)
    return Drawn(observations.x(COLUMNS), given.x(COLUMNS), recipes), in_box(torch.load(file, weights_only=True))


def finished(folder: str) -> Posterior:
    """The posterior model of a folder."""
    model = polyinv.load(folder).model
    if not isinstance(model, Posterior):
        raise SystemExit(f"{folder} holds no posterior model")
    return model


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--model", default="checkpoints/posterior", help="folder of a finished posterior model")
    parser.add_argument("--only", nargs="+", default=["finished", *TRAINED], choices=["finished", *TRAINED])
    parser.add_argument("--seconds", type=float, default=180, help="of processor time, for each training")
    parser.add_argument("--parts", type=int, default=120, help=f"of {PART} rows each, that are learned from")
    parser.add_argument("--rows", type=int, default=1000, help="rows that are asked")
    parser.add_argument("--samples", type=int, default=200, help="of each row")
    parser.add_argument("--exact", type=int, default=20, help="rows whose exact posterior is sampled")
    given = parser.parse_args()
    os.environ.setdefault("KERAS_BACKEND", "torch")
    if "BayesFlow" in given.only and find_spec("bayesflow") is None:
        print(MISSING, file=sys.stderr)
        sys.exit(2)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    given.output.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(SEED)
    table = []
    with one_thread():
        test, exact = asked_rows(given.rows, given.exact, given.output)
        if set(given.only) & TRAINED.keys():
            train, val = drawn(given.parts, SEED + 1), drawn(8, SEED + 2)
        for name in given.only:
            answers, spent = (
                within(given.seconds, TRAINED[name], train, val)
                if name in TRAINED
                else (of_model(finished(given.model)), "")
            )
            table.append({"posterior": name, "training": spent, **line(answers, test, exact, given.samples)})
            logging.info(table[-1])
    print(markdown(pd.DataFrame(table)))


TRAINED = {"ours": trained_model, "BayesFlow": trained_flow}
"""Trained here, for the pattern alone."""


if __name__ == "__main__":
    main()
