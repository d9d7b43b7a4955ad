"""Boosted trees as plain arrays: what LightGBM has grown is kept and applied without LightGBM.

Its text format is read by C++ that crashes on a text that somebody changed (`python -m benchmarks fuzz_heads`), so that no file
of ours holds any. Numbers and sums are those of LightGBM, to the order in which leaves are added.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.documents import Known

_PLACES = 200_000  # places of rows in trees that are kept at once


@dataclass(frozen=True)
class Trees:
    """m nodes of t trees; a node sends a row to `left` where its `feature` is at most `threshold`, else to `right`.

    root : (t,) int32, index of a node; feature, left, right : (m,) int32; threshold, value : (m,) float64. Both ways of a leaf
    lead to itself; those of other nodes lead to nodes further on, so that every way ends. `value` is that of a leaf.
    """

    root: NDArray[np.int32]
    feature: NDArray[np.int32]
    threshold: NDArray[np.float64]
    left: NDArray[np.int32]
    right: NDArray[np.int32]
    value: NDArray[np.float64]

    def sums(self, X: NDArray[np.float32]) -> NDArray[np.float64]:
        """(n, d) without NaN -> (n,) sum of the leaves that each row reaches."""
        ways = np.stack([self.right, self.left], axis=1).ravel()
        out = np.empty(len(X))
        n = max(1, _PLACES // max(1, len(self.root)))
        for start in range(0, len(X), n):
            block = np.ascontiguousarray(X[start : start + n])
            first = np.arange(0, block.size, block.shape[1])[:, None]
            node, before = np.tile(self.root, (len(block), 1)), None
            while before is None or (node != before).any():
                before = node
                node = ways[2 * node + (block.ravel()[first + self.feature[node]] <= self.threshold[node])]
            out[start : start + n] = self.value[node].sum(axis=1)
        return out

    @classmethod
    def of_lightgbm(cls, model: Known) -> Trees:
        """What `Booster.dump_model` says of numerical columns without missing values."""
        nodes: list[tuple[int, float, int, int, float]] = []

        def add(node: Known) -> int:
            here = len(nodes)
            if "split_feature" not in node:
                nodes.append((0, np.inf, here, here, node["leaf_value"]))
                return here
            assert (node["decision_type"], node["missing_type"]) == ("<=", "None"), node
            nodes.append((0, 0, 0, 0, 0))
            ways = add(node["left_child"]), add(node["right_child"])
            nodes[here] = (node["split_feature"], node["threshold"], *ways, 0)
            return here

        root = [add(tree["tree_structure"]) for tree in model["tree_info"]]
        return cls(np.array(root, np.int32), *_columns(nodes))

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]], n_columns: int) -> Trees:
        """The trees of a file for tables of `n_columns`. Raises ValueError for what are no trees: some way would not end, or
        lead to no node or column."""
        trees = cls(*(arrays[name] for name in cls.__dataclass_fields__))
        m, here = len(trees.feature), np.arange(len(trees.feature))
        for name, array in vars(trees).items():
            if array.ndim != 1 or array.dtype != (float if name in ("threshold", "value") else np.int32):
                raise ValueError(f"{name} has type {array.dtype} and {array.ndim} dimensions")
            if name != "root" and len(array) != m:
                raise ValueError(f"{name} has {len(array)} values for {m} nodes")
        leaf = (trees.left == here) & (trees.right == here)
        on = (trees.left > here) & (trees.right > here) & (trees.left < m) & (trees.right < m)
        if not (leaf | on).all() or not ((trees.root >= 0) & (trees.root < m)).all():
            raise ValueError("its trees do not end in leaves")
        if not ((trees.feature >= 0) & (trees.feature < n_columns)).all():
            raise ValueError(f"its trees ask for columns beyond the {n_columns} of its table")
        if np.isnan(trees.threshold).any() or not np.isfinite(trees.value).all():
            raise ValueError("a threshold or leaf is no number")
        return trees


def _columns(nodes: Sequence[tuple[int, float, int, int, float]]) -> tuple[NDArray[Any], ...]:
    types = (np.int32, float, np.int32, np.int32, float)
    return tuple(np.array([node[k] for node in nodes], dtype) for k, dtype in enumerate(types))
