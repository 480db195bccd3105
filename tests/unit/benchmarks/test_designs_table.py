"""The table that a study's designs end in."""

from benchmarks.designs import Reached, Trial, table


def test_a_row_per_design_with_the_packed_size_of_binary_layers() -> None:
    trials = [
        Trial(
            label="ResNet-18", experiment="a", stage="fine_tune", parameters=11_000_000, macs=37e6
        ),
        Trial(label="xnor", experiment="b", stage="fine_tune", parameters=11_000_000, macs=37e6),
    ]
    common = {"accuracy": 0.9, "low": 0.85, "high": 0.95, "macro_f1": 0.89, "size_mb": 44.7}
    reached = [Reached(**common, packed=None), Reached(**common, packed=(1.7, 31.0))]
    lines = table(trials, reached, [0.8, 1.2]).splitlines()
    assert len(lines) == 4
    assert len({line.count("|") for line in lines}) == 1
    assert lines[2] == (
        "| ResNet-18 | 90.0 % | 85.0 to 95.0 % | 0.890 | 0.80 ms | 44.7 MB | 11 M | 37 M |"
    )
    assert "| 1.20 ms, packed 31 ms | 44.7 MB, packed 1.7 MB |" in lines[3]
