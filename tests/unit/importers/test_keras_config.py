"""Keras configurations: what is not Keras's own is refused before Keras sees it, what Keras 2 wrote is rewritten."""

from __future__ import annotations

import json
from typing import Any

import pytest

from midge.importers.flatbuffer import DamagedFile
from midge.importers.keras_config import as_keras_3, read_config, refused_layers


def layer(code: str, module: str | None = "keras.layers", registered: str | None = None, **config: Any) -> Any:
    return {"module": module, "class_name": code, "config": config, "registered_name": registered}


def network(*layers: Any) -> Any:
    return layer("Functional", "keras.src.models.functional", layers=list(layers), name="net")


def test_a_network_of_keras_own_layers_has_nothing_to_refuse() -> None:
    config = network(layer("Dense", name="d", kernel_initializer=layer("GlorotUniform", "keras.initializers")))
    assert refused_layers(config) == []
    assert as_keras_3(config) == config


@pytest.mark.parametrize(
    "bad",
    [
        layer("Lambda", name="bad"),
        layer("Lambda", None, name="bad"),
        layer("__lambda__", "builtins", name="bad"),
        layer("TorchModuleWrapper", name="bad"),
        layer("Mine", "my.package", name="bad"),
        layer("system", "os", name="bad"),
        layer("run", "subprocess", name="bad"),
        layer("load", "kerasx.layers", name="bad"),
        layer("Mine", None, "Custom>Mine", name="bad"),
        layer("Custom>Mine", None, name="bad"),
    ],
)
def test_code_and_what_is_not_keras_own_is_refused_by_name_however_deep_it_lies(bad: Any) -> None:
    for config in (network(bad), network(layer("TimeDistributed", layer=network(bad)))):
        problems = refused_layers(config)
        assert [p.layer for p in problems] == ["bad"]
        assert problems[0].reason
        assert problems[0].remedy


def test_all_refusals_come_together() -> None:
    bad = [layer("Lambda", name=name) for name in ("one", "two")] + [layer("Mine", "mine", name="three")]
    assert [p.layer for p in refused_layers(network(*bad))] == ["one", "two", "three"]


def test_what_keras_2_wrote_becomes_what_keras_3_reads() -> None:
    old = {
        "module": "keras.src.engine.functional",
        "class_name": "Functional",
        "config": {
            "layers": [
                {"class_name": "DepthwiseConv2D", "config": {"groups": 1, "kernel_size": [3, 3]}},
                {"class_name": "BatchNormalization", "config": {"axis": [3]}},
                {"class_name": "Conv2D", "config": {"groups": 2}},
            ]
        },
    }
    new = as_keras_3(old)
    assert new["module"] == "keras.src.models.functional"
    assert [item["config"] for item in new["config"]["layers"]] == [{"kernel_size": [3, 3]}, {"axis": 3}, {"groups": 2}]
    assert "groups" in old["config"]["layers"][0]["config"]  # type: ignore[index]


@pytest.mark.parametrize("text", [b"", b"\xff\xfe", b"[]", b"{}", b'{"class_name": 3}', b"[" * 100_000, "null"])
def test_a_configuration_that_is_none_is_damage(text: bytes) -> None:
    with pytest.raises(DamagedFile):
        read_config(text)


def test_a_configuration_nested_without_end_is_damage() -> None:
    deep: Any = {"class_name": "Sequential"}
    for _ in range(300):
        deep = {"class_name": "Sequential", "config": deep}
    with pytest.raises(DamagedFile, match="nested"):
        read_config(json.dumps(deep))
