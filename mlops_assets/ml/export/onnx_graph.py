"""An ONNX graph that is written node by node; what it means is for `onnx_export` to say."""

from typing import Any

import numpy as np

from mlops_assets.ml.frames import FeatureDtypes
from mlops_assets.ml.inference.onnx_runtime import NUMBERS, SCORES, TEXTS

_OPSETS = {"": 21, "ai.onnx.ml": 5}
_IR_VERSION = 10


class Graph:
    """Nodes and constants, each named by its place."""

    def __init__(self, dtypes: FeatureDtypes) -> None:
        import onnx  # of the training only: the endpoint runs graphs, and writes none

        self._onnx = onnx
        self._nodes: list[Any] = []
        self._constants: list[Any] = []
        self.numbers = [name for name, dtype in dtypes.items() if dtype == "float64"]
        self.texts = [name for name, dtype in dtypes.items() if dtype == "string"]

    def constant(self, value: Any, dtype: Any = np.float64) -> str:
        """Add a tensor; its name."""
        name = f"c{len(self._constants)}"
        array = np.asarray(value, dtype=dtype)
        self._constants.append(self._onnx.numpy_helper.from_array(array, name))
        return name

    def node(self, op: str, *inputs: str, domain: str = "", **attributes: Any) -> str:
        """Add a node; a NumPy array as an attribute becomes a tensor."""
        name = f"n{len(self._nodes)}"
        helper, tensor = self._onnx.helper, self._onnx.numpy_helper.from_array
        made = helper.make_node(op, list(inputs), [name], domain=domain)
        for key, value in attributes.items():
            plain = tensor(value, key) if isinstance(value, np.ndarray) else value
            made.attribute.append(helper.make_attribute(key, plain))
        self._nodes.append(made)
        return name

    def cast(self, value: str, dtype: Any) -> str:
        """Add a conversion; the name of its result."""
        return self.node("Cast", value, to=self._onnx.helper.np_dtype_to_tensor_dtype(dtype))

    def model(self, scores: str) -> bytes:
        """The whole file, whose output is the node `scores`."""
        helper, types = self._onnx.helper, self._onnx.TensorProto
        inputs = [(NUMBERS, types.DOUBLE, self.numbers), (TEXTS, types.STRING, self.texts)]
        self._nodes.append(helper.make_node("Identity", [scores], [SCORES]))
        graph = helper.make_graph(
            self._nodes,
            "pipeline",
            [
                helper.make_tensor_value_info(name, kind, ["rows", len(columns)])
                for name, kind, columns in inputs
                if columns
            ],
            [helper.make_tensor_value_info(SCORES, types.DOUBLE, ["rows", None])],
            self._constants,
        )
        opsets = [helper.make_opsetid(domain, version) for domain, version in _OPSETS.items()]
        made = helper.make_model(graph, opset_imports=opsets, ir_version=_IR_VERSION)
        self._onnx.checker.check_model(made)
        return made.SerializeToString(deterministic=True)
