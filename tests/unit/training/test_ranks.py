"""Two real processes come to what one process comes to."""

import importlib.util
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from prismata.testing.children import PATIENCE_SECONDS
from prismata.training.ranks import ALONE, Ranks

PROGRAM = Path(__file__).with_name("ranks_program.py")


@pytest.fixture(scope="module")
def program():
    spec = importlib.util.spec_from_file_location("ranks_program", PROGRAM)
    module = importlib.util.module_from_spec(spec)
    sys.modules["ranks_program"] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules["ranks_program"]


@pytest.fixture(scope="module")
def of_two(tmp_path_factory):
    """Run every case under torchrun; give what a rank has of a case, None if it was not there."""
    folder = tmp_path_factory.mktemp("ranks")
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    done = subprocess.run(
        [*torchrun, "--local-addr=127.0.0.1", "--nproc-per-node=2", str(PROGRAM), str(folder)],
        capture_output=True,
        text=True,
        timeout=4 * PATIENCE_SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-4000:]

    def read(name, rank):
        path = folder / f"{name} {rank}.result"
        return torch.load(path, weights_only=True) if path.is_file() else None

    read.folder = folder
    return read


@pytest.fixture
def of_one(program, tmp_path):
    return lambda name: program.run(program.CASES[name], ALONE, tmp_path / "checkpoint.pt")


SAME = ["windows", "dense", "blended", "encoder", "statistics", "neighbours", "stopped"]


@pytest.mark.parametrize("name", [*SAME, "one stretch", "one rank"])
def test_two_processes_learn_what_one_learns(of_one, of_two, name):
    one, two = of_one(name), of_two(name, 0)
    assert two["places"] == one["places"]
    assert two["losses"] == pytest.approx(one["losses"], rel=1e-4)
    for key, value in one["weights"].items():
        # A unit whose ReLU is shut has a bias that nothing depends on: its gradient is rounding,
        # and Adam makes a step of anything.
        atol = 2e-3 if key == "head.project.bias" else 1e-4
        torch.testing.assert_close(two["weights"][key], value, rtol=1e-3, atol=atol)
    for left, right in zip(two["history"], one["history"], strict=True):
        assert left["val_loss"] == pytest.approx(right["val_loss"], rel=1e-3)


@pytest.mark.parametrize("name", SAME)
def test_the_shares_are_together_what_one_process_sees(of_one, of_two, name):
    one, shares = of_one(name), [of_two(name, rank) for rank in (0, 1)]
    assert shares[0]["losses"] == shares[1]["losses"], "everybody knows the loss of all"
    for number, (inputs, targets) in enumerate(zip(one["inputs"], one["targets"], strict=True)):
        parts = [share["inputs"][number] for share in shares]
        assert abs(len(parts[0]) - len(parts[1])) <= 1
        if len(inputs) == 1:
            assert all(torch.equal(part, inputs) for part in parts), "it cannot be shared"
            continue
        assert torch.equal(torch.cat(parts), inputs), "the augmentation too"
        assert torch.equal(torch.cat([share["targets"][number] for share in shares]), targets)


def test_a_stop_is_the_first_ranks_word_and_costs_no_step(of_two):
    first, second = of_two("stopped", 0), of_two("stopped", 1)
    assert first["places"] == second["places"]
    assert len(set(first["places"])) == len(first["places"]), "no step twice"
    assert [row["epoch"] for row in first["history"]] == [1, 2, 3]


def test_a_checkpoint_of_two_processes_is_gone_on_from_by_one(program, of_one, of_two):
    first = of_two("handed over", 0)
    case = replace(program.CASES["handed over"], stop_after=None)
    rest = program.run(case, ALONE, of_two.folder / "handed over.pt")
    whole = of_one("stopped")
    assert len(first["losses"]) == 7, "in the middle of the second epoch"
    assert first["losses"] + rest["losses"] == pytest.approx(whole["losses"], rel=1e-4)


def test_ranks_that_are_not_needed_go(of_two):
    assert of_two("one rank", 1) is None
    assert of_two("one stretch", 1)["losses"] == of_two("one stretch", 0)["losses"]


def test_each_rank_drops_out_something_else_and_the_weights_stay_equal(of_two):
    """That they do is looked at after each epoch; a training whose ranks go apart fails."""
    first, second = of_two("dropout", 0), of_two("dropout", 1)
    assert first["losses"] == second["losses"]
    assert len(first["history"]) == 2


@pytest.mark.parametrize(("rows", "count"), [(1, 1), (8, 2), (7, 3), (5, 5), (3, 4)])
def test_every_row_has_its_rank(rows, count):
    shares = [range(rows)[Ranks(number, count).share_of(rows)] for number in range(count)]
    if rows < count:
        assert all(list(share) == list(range(rows)) for share in shares)
    else:
        assert [row for share in shares for row in share] == list(range(rows))
        assert all(shares)
