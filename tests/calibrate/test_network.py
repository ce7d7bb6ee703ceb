"""Network of a laboratory: trained with the coefficients of a calibration, it answers by them."""

from dataclasses import replace

import pytest
import torch

import polyinv
from polyinv.calibrate.fit import fit
from polyinv.calibrate.result import write_system
from polyinv.chemistry import load_system
from polyinv.cli import main
from polyinv.data.laboratory import observations_of
from polyinv.runtime.resources import RELEASED
from tests.calibrate.laboratories import drawn, model_of

SMALL = """
model: {training: {max_epochs: 1}}
data: {simulated: {rows: 1024, epoch: 1024, validation: 256}, patterns: {mmd+temp+time: 1, any: 0}}
logger: csv
"""


@pytest.fixture(scope="module")
def laboratory(tmp_path_factory):
    folder = tmp_path_factory.mktemp("network")
    write_system(fit(model_of(drawn(5), 2, 5)), "MMA", folder / "lab.yaml")
    return folder


def test_the_network_of_a_laboratory_answers_by_its_coefficients(laboratory, caplog):
    (laboratory / "small.yaml").write_text(SMALL, encoding="utf-8")
    config = "configs/posterior_small.yaml", "configs/laboratory.yaml", laboratory / "small.yaml"
    init = RELEASED.with_name("posterior_methyl_methacrylate")
    options = f"--init {init} --system {laboratory / 'lab.yaml'} --output {laboratory / 'run'}"
    assert main(["train", *(f"--config={each}" for each in config), *options.split()]) == 0
    lab = load_system(laboratory / "lab.yaml")
    own = polyinv.load(laboratory / "run")
    assert own.system == lab
    seen = observations_of(torch.tensor([[2.0, 0.02, 70.0, 6.5, 4000.0]]).repeat(2, 1), "good", 1e6, 0, lab)
    seen = replace(seen, system=lab)
    caplog.clear()
    answers = own.predict(seen, sharpen=False)
    assert set(answers["kinetics"]) == {"calibrated on 2 runs"}
    assert "has learned" not in caplog.text
    assert polyinv.load(init).system != lab
