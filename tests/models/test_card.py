"""Saved models are read whole or not at all."""

import json
import shutil
from pathlib import Path

import pytest
import torch

import polyinv
from polyinv.cli import main
from polyinv.errors import InputError
from polyinv.models import load_model
from polyinv.models.card import CARD, LARGEST, read_card, seal

CHECKPOINTS = Path(__file__).parents[2] / "checkpoints"


@pytest.fixture
def folder(tmp_path):
    """Copy of the smallest released model."""
    return shutil.copytree(CHECKPOINTS / "conditional_styrene", tmp_path / "model")


@pytest.fixture
def forest(tmp_path):
    model = polyinv.RandomForest(n_estimators=3, jobs=1)
    model.fit(polyinv.RecipeDataModule("scalars", share=0.1))
    model.save(tmp_path / "forest")
    return tmp_path / "forest"


def changed(folder: Path, **values) -> None:
    card = json.loads((folder / CARD).read_text(encoding="utf-8"))
    (folder / CARD).write_text(json.dumps(card | values), encoding="utf-8")


def unsealed(folder: Path, **values) -> None:
    """As a model of 0.1.0 would be: without checksums."""
    card = json.loads((folder / CARD).read_text(encoding="utf-8")) | values
    (folder / CARD).write_text(
        json.dumps({key: value for key, value in card.items() if key not in ("sha256", "files")}), encoding="utf-8"
    )


@pytest.mark.parametrize("name", sorted(path.name for path in CHECKPOINTS.iterdir() if path.is_dir()))
def test_released_models_are_sealed(name):
    card = read_card(CHECKPOINTS / name)
    files = {path.name for path in (CHECKPOINTS / name).iterdir()} - {CARD}
    assert set(card["files"]) == files
    load_model(CHECKPOINTS / name)


def test_a_flipped_byte_of_any_file_is_refused(folder):
    for path in sorted(folder.iterdir()):
        content = path.read_bytes()
        middle = len(content) // 2
        path.write_bytes(content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :])
        with pytest.raises(InputError, match="damaged") as caught:
            load_model(folder)
        assert "\n" not in str(caught.value)
        path.write_bytes(content)
    load_model(folder)


@pytest.mark.parametrize("name", ["weights.pt", "patterns.csv"])
def test_a_file_that_is_shorter_or_gone_is_refused(folder, name):
    content = (folder / name).read_bytes()
    (folder / name).write_bytes(content[:-1])
    with pytest.raises(InputError, match=f"{name} is damaged: it has {len(content) - 1} bytes"):
        load_model(folder)
    (folder / name).unlink()
    with pytest.raises(InputError, match=f"is damaged: its {name} is missing"):
        load_model(folder)


def test_columns_in_another_order_are_refused(folder):
    columns = read_card(folder)["columns"]
    changed(folder, columns=[columns[1], columns[0], *columns[2:]])
    with pytest.raises(InputError, match="is not as it was saved"):
        load_model(folder)
    unsealed(folder)
    with pytest.raises(InputError, match="its columns are those of no feature set"):
        load_model(folder)


def test_a_model_that_was_changed_on_purpose_is_sealed_again(folder):
    (folder / "patterns.csv").write_text("pattern,target,r2,r2_members,rmse,error_99\n", encoding="utf-8")
    with pytest.raises(InputError, match=r"patterns.csv is damaged"):
        load_model(folder)
    seal(folder)
    load_model(folder)


CARDS = {
    "no object": "[]",
    "nothing": "",
    "a number": "3",
    "nested": "[" * 100_000,
    "null": "null",
    "too long": json.dumps({"format": 1, "more": "x" * LARGEST}),
}


@pytest.mark.parametrize("content", CARDS.values(), ids=CARDS)
def test_a_card_that_is_none_is_refused(folder, content):
    (folder / CARD).write_text(content, encoding="utf-8")
    with pytest.raises(InputError, match="is damaged") as caught:
        read_card(folder)
    assert len(str(caught.value)) < 400


VALUES = {
    "options": [{"hidden": [10**9, 10**9]}, {"hidden": 3}, {"members": 10**9}, {"hidden": None}, {"training": 5}, []],
    "columns": [[1, 2], ["MMD1", "MMD1"], {}, "mmd", []],
    "system": [5, {"name": "x"}, [], "nylon", {"chemistry": {}}],
    "model": ["mpl", 3, None],
    "targets": [["a"], {}],
    "grid": [{"step": 1}, []],
    "format": [True, "1", 2, 1.5],
    "files": [5, {"weights.pt": 3}, {"weights.pt": {"bytes": 1}}, {"../card.yaml": {"bytes": 1, "sha256": ""}}],
}


@pytest.mark.parametrize(("key", "value"), [(key, value) for key, each in VALUES.items() for value in each], ids=str)
def test_a_card_without_checksums_is_checked_value_by_value(folder, key, value):
    unsealed(folder)
    if key == "options" and isinstance(value, dict):
        value = read_card(folder)["options"] | value
    changed(folder, **{key: value})
    with pytest.raises(InputError) as caught:
        load_model(folder)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("damage", [torch.nan, torch.inf])
@pytest.mark.parametrize("name", ["network", "scaling.x.mean", "scaling.y.std"])
def test_weights_that_are_no_numbers_are_refused(folder, name, damage):
    unsealed(folder)
    weights = torch.load(folder / "weights.pt", weights_only=True)
    key = next(each for each in weights if each.startswith(name))
    weights[key].view(-1)[0] = damage
    torch.save(weights, folder / "weights.pt")
    with pytest.raises(InputError, match="is not finite"):
        load_model(folder)


def test_a_spread_of_zero_is_refused(folder):
    unsealed(folder)
    weights = torch.load(folder / "weights.pt", weights_only=True)
    weights["scaling.y.std"][0] = 0.0
    torch.save(weights, folder / "weights.pt")
    with pytest.raises(InputError, match="is not positive"):
        load_model(folder)


def test_a_forest_of_another_number_of_trees_is_refused(forest):
    options = read_card(forest)["options"]
    unsealed(forest, options=options | {"n_estimators": 99_999})
    with pytest.raises(InputError, match="another number of trees"):
        load_model(forest)


def test_the_commands_refuse_a_damaged_model_in_one_line(folder, tmp_path, capsys):
    weights = folder / "weights.pt"
    content = bytearray(weights.read_bytes())
    content[1000] ^= 1
    weights.write_bytes(content)
    table = tmp_path / "table.csv"
    table.write_text("Mn,Mw,temp\n20000,40000,70\n", encoding="utf-8")
    for arguments in (
        ["predict", str(folder), str(table)],
        ["evaluate", str(folder), "--output", str(tmp_path / "report")],
        ["train", "--init", str(folder), "--data.source", "simulated", "--output", str(tmp_path / "run")],
    ):
        assert main(arguments) == 2
        error = capsys.readouterr().err.strip().splitlines()[-1]
        assert error.startswith("polyinv: error: ")
        assert "weights.pt is damaged" in error
