"""System of a laboratory: its file, its draws, and what becomes of what a calibration left open."""

from dataclasses import replace

import pytest
import torch
import yaml

from polyinv.calibrate.fit import fit
from polyinv.calibrate.result import system_of, write_system
from polyinv.chemistry import System, load_system
from polyinv.chemistry.coordinates import Coordinates
from polyinv.chemistry.draws import covariance_root, draws
from polyinv.chemistry.laboratory import SCATTER
from polyinv.data.calibrated import of_instrument
from polyinv.errors import InputError
from polyinv.posterior.exact import exact_posteriors
from polyinv.posterior.likelihood import Likelihood
from tests.calibrate.laboratories import SYSTEM, drawn, model_of, runs_of


@pytest.fixture(scope="module")
def fitted():
    return fit(model_of(drawn(5), 2, 5))


@pytest.fixture(scope="module")
def file(fitted, tmp_path_factory):
    path = tmp_path_factory.mktemp("laboratory") / "lab.yaml"
    write_system(fitted, "MMA", path)
    return path


def test_the_file_holds_what_was_fitted(fitted, file):
    read, made = load_system(file), system_of(fitted)
    of = Coordinates(SYSTEM).of
    assert of(read.chemistry) == pytest.approx(of(made.chemistry), rel=1e-12)
    assert read.laboratory == made.laboratory
    assert read.is_like(SYSTEM)
    assert System.from_dict(read.as_dict()) == read


def test_the_fingerprint_is_that_of_the_chemistry(file):
    system = load_system(file)
    assert system.fingerprint == replace(system, laboratory=None).fingerprint
    assert system.fingerprint != SYSTEM.fingerprint


def test_systems_without_a_laboratory_are_stored_as_before():
    assert "laboratory" not in SYSTEM.as_dict()


DAMAGED = {
    "no numbers": ("prior", ["a"], "prior is"),
    "a row missing": ("covariance", [[1.0]], "covariance needs"),
    "no runs": ("runs", 0, "runs is 0; needs a whole number from 1"),
    "scatter of nothing": ("scatter", {}, "scatter is"),
    "no factor of a molar mass": ("offset", -1.0, "offset is -1.0; needs -0.9 to 2"),
    "a factor of six": ("offset", 5, "offset is 5; needs -0.9 to 2"),
    "a curve that is narrowed": ("broadening", -5, "broadening is -5; needs 0 to 6 decades"),
    "too many digits": ("broadening", 10**400, "needs 0 to 6 decades"),
    "scatter that nobody has": ("scatter", dict.fromkeys(SCATTER, 2.0), "scatter.conversion is 2.0; needs 1e-09 to 1"),
    "a truth value": ("runs", True, "runs is True; needs a whole number from 1"),
    "a name of another": ("names", None, "names has k_bb, which is no coefficient"),
}


@pytest.mark.parametrize(("key", "value", "said"), DAMAGED.values(), ids=DAMAGED)
def test_a_damaged_laboratory_is_refused(key, value, said, file, tmp_path):
    content = yaml.safe_load(file.read_text(encoding="utf-8"))
    content["laboratory"][key] = value if value is not None else ["k_bb", *content["laboratory"]["names"][1:]]
    (tmp_path / "lab.yaml").write_text(yaml.safe_dump(content, allow_unicode=True), encoding="utf-8")
    with pytest.raises(InputError) as caught:
        load_system(tmp_path / "lab.yaml")
    assert said in str(caught.value)


def test_draws_have_the_covariance_that_is_stated(file):
    for system in (load_system(file), SYSTEM):
        coordinates, root = Coordinates(system), covariance_root(system)
        some = draws(system, 600, torch.Generator().manual_seed(0))
        found = torch.tensor([coordinates.of(each) for each in some], dtype=torch.float64)
        expected = (root @ root.T).diagonal().sqrt()
        # 600 draws know a standard deviation to 3 %.
        assert torch.allclose(found.std(0), expected, rtol=0.15)


def test_what_a_calibration_left_open_widens_the_answers(file):
    lab = load_system(file)
    seen = of_instrument(replace(runs_of(drawn(5), 1, 9).observations[2], system=lab)).forgetting(["cAIBN_0"])
    (wide,) = exact_posteriors(seen, 300)
    exact = replace(lab, laboratory=None)
    (narrow,) = exact_posteriors(replace(seen, system=exact), 300)
    assert wide.samples[:, 1].std() > 1.2 * narrow.samples[:, 1].std()


def test_kinetics_that_are_exact_change_nothing():
    seen = runs_of(SYSTEM, 1, 9).observations[2].forgetting(["cAIBN_0"])
    likelihood = Likelihood.of(seen)
    assert likelihood.residual.by_kinetics is None
    assert likelihood.residual.kinetics == 0.0


def test_an_offset_that_is_known_is_taken_off(file):
    lab = load_system(file)
    off = replace(lab, laboratory=replace(lab.laboratory, offset=0.2))
    seen = runs_of(SYSTEM, 1, 9).observations
    corrected = of_instrument(replace(seen, system=off))
    assert torch.allclose(corrected.Mw, seen.Mw / 1.2)
    log_m = torch.arange(100, dtype=torch.float64)
    moved = ((corrected.mmd - seen.mmd) @ log_m) * (8 / 100) ** 2 / (8 / 100)
    assert (moved < 0).all()
    assert of_instrument(seen) is seen
