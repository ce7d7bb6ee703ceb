"""A monomer of one's own: one file runs through every command, and is not mixed with another."""

from pathlib import Path

import pandas as pd
import pytest
import yaml

import polyinv
from polyinv.chemistry import load_system
from polyinv.cli import main
from polyinv.data.source import load_off_grid, simulate_table
from polyinv.data.workbook import read_table, write_table
from polyinv.errors import InputError
from polyinv.experiment.configuration import read_experiment
from polyinv.models.card import read_card
from polyinv.simulate import SIMULATORS

TOY = Path(__file__).parent / "data" / "toy.yaml"
SMALL = [
    "--features=conditional",
    "--data.source=simulated",
    "--data.simulated.rows=500",
    "--data.simulated.epoch=500",
    "--data.simulated.validation=100",
    "--model.name=mlp",
    "--model.hidden=[16]",
    "--model.dropout=[0.0]",
    "--model.training.max_epochs=2",
]


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """Folder with a table of 60 toy polymers, and a small conditional model that was trained on the toy."""
    folder = tmp_path_factory.mktemp("toy")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("polyinv.data.bank.BLOCK", 512)
        assert main(["simulate", "--system", str(TOY), "--random", "60", "--out", str(folder / "table.csv")]) == 0
        assert main(["train", *SMALL, "--system", str(TOY), "--output", str(folder / "run")]) == 0
    return folder


@pytest.mark.parametrize("method", SIMULATORS)
def test_every_method_simulates_it(method, tmp_path):
    options = ["--chains=3e5", "--allow-few"] if method == "kmc" else []
    out = tmp_path / "table.xlsx"
    arguments = ["--system", str(TOY), "--random", "3", "--method", method, "--out", str(out)]
    assert main(["simulate", *arguments, *options]) == 0
    table = read_table(out, system=TOY)
    assert list(table.columns[:8]) == ["cT_0", "cAIBN_0", "temp", "cSH_0", "time", "cT_time", "Mn", "Mw"]
    assert (table["cT_time"] < table["cT_0"]).all()


def test_its_grid_fills_the_box():
    from polyinv.simulate.recipes import grid

    system = load_system(TOY)
    recipes = grid(system)
    assert len(recipes.drop_duplicates(list(system.conditions))) == 432
    for quantity in system.recipe:
        column, width = recipes[quantity.name], quantity.high - quantity.low
        assert quantity.low <= column.min() < quantity.low + 0.1 * width
        assert quantity.high - 0.1 * width < column.max() <= quantity.high


def test_the_run_keeps_it(home):
    system = load_system(TOY)
    assert load_system(read_card(home / "run" / "model")["system"]) == system
    assert load_system(yaml.safe_load((home / "run" / "system.yaml").read_text(encoding="utf-8"))) == system
    scores = pd.read_csv(home / "run" / "scores.csv")
    assert set(scores["target"]) == {*system.targets, "global"}
    assert set(scores["subset"]) == {"test", "off_grid"}  # simulated on the spot


def test_the_model_answers_from_its_columns(home, capsys):
    answered = ["predict", str(home / "run"), str(home / "table.csv"), "--ask", "cT_0,cAIBN_0"]
    assert main([*answered, "--out", str(home / "answers.csv")]) == 0
    said = capsys.readouterr().err
    assert "the applicability check goes by the limits of butyl_acrylate" in said
    assert "nan%" not in said
    answers, table = pd.read_csv(home / "answers.csv"), pd.read_csv(home / "table.csv")
    assert answers["temp"].tolist() == pytest.approx(table["temp"].tolist())
    assert answers["cT_0"].between(0.0, 6.0).all()
    # It is judged by its own chemistry: by another's half of the mass would lie elsewhere.
    assert answers["closest_cSH_0"].between(0.001, 0.05).all()
    assert (answers["applicability"] == "outside").mean() < 0.1


@pytest.mark.parametrize("given", ["mmd+residual+temp", "mmd", "means"])
def test_it_is_evaluated(home, tmp_path, given):
    report = ["evaluate", str(home / "run"), "--data", str(home / "table.csv"), "--output", str(tmp_path / "report")]
    assert main([*report, "--given", given, "--method", "deterministic"]) == 0
    page = (tmp_path / "report" / "report.html").read_text(encoding="utf-8")
    assert "cSH_0" in page
    assert "cBA_0" not in page


def test_a_model_to_start_from_brings_its_system(home):
    experiment = read_experiment(values={"init": str(home / "run" / "model"), "data.source": "simulated"})
    assert experiment.data.of == load_system(TOY)


def test_many_reactions_are_compared_in_one_line(home, tmp_path, capsys):
    compared = tmp_path / "compared.csv"
    assert main(["compare", str(home / "table.csv"), "--system", str(TOY), "--out", str(compared)]) == 0
    said = capsys.readouterr()
    assert [line for line in said.out.splitlines() if line.startswith("|")][2:] == [
        line for line in said.out.splitlines() if line.startswith("| all ")
    ]
    assert "60 reactions; a line for each row goes to --out" in said.err
    assert len(pd.read_csv(compared)) == 60


@pytest.mark.usefixtures("here")
def test_it_is_ablated(home, tmp_path):
    study = tmp_path / "study.yaml"
    (tmp_path / "forest.yaml").write_text("model: {name: forest, n_estimators: 5, jobs: 1}\n", encoding="utf-8")
    axes = {"features": ["composite", "mmd+residual"]}
    base = {"base": "forest.yaml", "axes": axes, "seeds": [1]}
    data = {"data": {"path": str(home / "table.csv"), "system": str(TOY)}}
    (tmp_path / "data.yaml").write_text(yaml.safe_dump(data), encoding="utf-8")
    study.write_text(yaml.safe_dump(base | {"base": ["forest.yaml", "data.yaml"]}), encoding="utf-8")
    assert main(["ablate", str(study), "--output", str(tmp_path / "out"), "--workers", "1"]) == 0
    summary = (tmp_path / "out" / "summary.md").read_text(encoding="utf-8")
    assert "cSH_0" in summary
    assert "mmd+cT_time" in summary


def test_it_works_from_a_script(home):
    data = polyinv.RecipeDataModule("composite", path=home / "table.csv", system=TOY)
    data.setup("fit")
    x, z = next(iter(data.train_dataloader()))
    assert (x.shape[1], z.shape[1]) == (103, 5)
    module = polyinv.RecipeModule("mlp", "composite", system=TOY)
    assert module(x).shape == z.shape


REFUSED = {
    "a model of the toy, rows of butyl acrylate": (
        ["predict", "{run}", "{published}"],
        "published.csv has columns of the system butyl_acrylate (cBA_0, cBA_time), not of toy (cT_0, cT_time)",
    ),
    "a model of butyl acrylate, rows of the toy": (
        ["predict", "{table}"],
        "table.csv is of the system toy, not of butyl_acrylate; they do not go together",
    ),
    "rows of the toy for a model of butyl acrylate": (
        ["train", "--data.path", "{table}", "--output", "{new}"],
        "table.csv is of the system toy, not of butyl_acrylate",
    ),
    "evaluated on the rows of another": (
        ["evaluate", "{run}", "--data", "{published}", "--output", "{new}"],
        "has columns of the system butyl_acrylate",
    ),
    "fine-tuned from another": (
        ["train", "--init", "{run}/model", "--data.source", "simulated", "--system", "styrene", "--output", "{new}"],
        "data.system is of the system styrene, {run}/model of toy",
    ),
    "a model asked for another": (["predict", "--system", "styrene", "{run}", "{table}"], "what is asked for is"),
    "no released model": (["predict", "--system", "{toy}", "{table}"], "no model of toy is released"),
    "no data": (["train", "--system", "{toy}", "--output", "{new}"], "no data set of toy comes with polyinv"),
    "the study of another": (["reproduce", "--system", "MMA"], "the published study is of butyl_acrylate"),
    "no such system": (["train", "--system", "nylon", "--output", "{new}"], "no system 'nylon'; known: butyl_acrylate"),
    "no such file": (["train", "--system", "no.yaml", "--output", "{new}"], "no.yaml: no such file"),
}


@pytest.mark.parametrize(("arguments", "said"), REFUSED.values(), ids=REFUSED)
def test_mixing_is_refused_in_one_line(home, tmp_path, capsys, arguments, said):
    published = tmp_path / "published.csv"
    polyinv.load_bundled("off_grid").head(3).to_csv(published, index=False)
    places = {"run": home / "run", "table": home / "table.csv", "toy": TOY, "published": published}
    places["new"] = tmp_path / "new"
    assert main([argument.format(**places) for argument in arguments]) == 2
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert error.startswith("polyinv: error: ")
    assert said.format(**places) in error
    assert not places["new"].exists()


@pytest.mark.parametrize(
    ("values", "said"),
    [
        (
            {"model": {"name": "forest"}, "data": {"path": "{table}"}},
            "table.csv is of the system toy, not of butyl_acr",
        ),
        (
            {"model": {"name": "mlp"}, "data": {"source": "grid", "system": "MMA"}, "init": "{run}/model"},
            "data.system is of the system methyl_methacrylate,",
        ),
    ],
    ids=["the table of another", "a model to start from of another"],
)
@pytest.mark.parametrize("dry", [["--dry-run"], []])
def test_a_study_does_not_begin_with_what_is_of_another(values, said, dry, home, tmp_path, capsys):
    text = yaml.safe_dump(values).replace("{table}", str(home / "table.csv")).replace("{run}", str(home / "run"))
    (tmp_path / "base.yaml").write_text(text + "features: conditional\n" * ("init" in values), encoding="utf-8")
    study = {"base": "base.yaml", "axes": {"split.share": [1.0, 0.5]}, "seeds": [1]}
    (tmp_path / "study.yaml").write_text(yaml.safe_dump(study), encoding="utf-8")
    assert main(["ablate", str(tmp_path / "study.yaml"), "--output", str(tmp_path / "out"), *dry]) == 2
    assert said in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_frame_of_a_system_that_nobody_knows_here_is_refused(home):
    frame = (
        pd.read_csv(home / "table.csv").drop(columns="system").rename(columns={"cT_0": "cU_0", "cT_time": "cU_time"})
    )
    with pytest.raises(
        InputError, match=r"has columns of another system \(cU_0, cU_time\), not of toy \(cT_0, cT_time"
    ):
        polyinv.load(home / "run").predict(frame)
    with pytest.raises(
        InputError, match=r"the recipes have no column 'cT_0'; toy needs cT_0, cAIBN_0, temp, cSH_0, ti"
    ):
        simulate_table(frame, system=TOY)


def test_a_study_of_two_systems_is_refused(tmp_path, capsys):
    (tmp_path / "base.yaml").write_text("model: {name: forest}\ndata: {source: grid}\n", encoding="utf-8")
    study = {"base": "base.yaml", "axes": {"data.system": ["styrene", "MMA"]}, "seeds": [1]}
    (tmp_path / "study.yaml").write_text(yaml.safe_dump(study), encoding="utf-8")
    assert main(["ablate", str(tmp_path / "study.yaml"), "--dry-run"]) == 2
    assert "of the system methyl_methacrylate, the first cell of styrene" in capsys.readouterr().err


@pytest.mark.parametrize("ending", [".csv", ".xlsx", ".npz"])
def test_a_table_of_another_with_the_same_columns_is_refused_read_before_or_not(ending, home, tmp_path):
    other = tmp_path / "other.yaml"
    named = TOY.read_text(encoding="utf-8").replace("name: toy\n", "name: other\n")
    other.write_text(named.replace("name: toyene", "name: otherene"), encoding="utf-8")
    path = tmp_path / f"table{ending}"
    write_table(read_table(home / "table.csv", system=TOY), path, TOY)
    assert len(read_table(path, system=TOY)) == 60  # which keeps the numbers of a workbook
    with pytest.raises(InputError, match=r"is of the system toy, not of other; .* a table keeps the name only"):
        read_table(path, system=other)


def test_other_coefficients_of_the_same_substances_go_together(tmp_path):
    other = tmp_path / "other.yaml"
    other.write_text(TOY.read_text(encoding="utf-8").replace("1e6 L/mol/s", "2e6 L/mol/s"), encoding="utf-8")
    ours, theirs = load_system(TOY), load_system(other)
    assert ours.is_like(theirs)
    assert ours.fingerprint != theirs.fingerprint


@pytest.mark.parametrize(("name", "monomer"), [("MMA", "cMMA_0"), ("styrene", "cSty_0")])
def test_the_released_small_models_tell_monomer_and_initiator(name, monomer):
    system = load_system(name)
    polymers = load_off_grid(system)
    given = polymers.drop(columns=[monomer, "cAIBN_0", "time"]).head(200)
    answers = polyinv.load(system=name).predict(given, errors="exact")
    for target, least in ((monomer, 0.8), ("cAIBN_0", 0.8)):
        true = polymers[target].head(200).to_numpy()
        left = ((answers[target].to_numpy() - true) ** 2).mean()
        assert 1 - left / true.var() > least
    assert (answers["applicability"] == "inside").mean() > 0.9
