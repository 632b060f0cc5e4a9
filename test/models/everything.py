"""Writes everything.onnx: one of each thing that the file format can hold. Needs onnx 1.23; run in this folder.

The checker of ONNX accepts the part without codes and fields of the future; these are added behind it.
"""

import numpy as np
import onnx
from onnx import AttributeProto as A
from onnx import TensorProto as T
from onnx import helper as h


def meta(proto, tag):
    entry = proto.metadata_props.add()
    entry.key, entry.value = "at", tag


def typed(name, dtype, dims, field, values):
    t = T(name=name, data_type=dtype, dims=dims)
    getattr(t, field).extend(values)
    return t


def raw(name, dtype, dims, data):
    return T(name=name, data_type=dtype, dims=dims, raw_data=bytes(data))


SMALL = dict(
    uint8=[0, 255], int8=[-128, 127], uint16=[0, 65535], int16=[-32768, 32767], int32=[-(2**31), 2**31 - 1],
    bool=[1, 0], float16=[0x3C00, 0xFBFF], bfloat16=[0x3F80, 0xFF7F], float8e4m3fn=[0x38, 0xB8],
    float8e4m3fnuz=[0x40, 0xC0], float8e5m2=[0x3C, 0xBC], float8e5m2fnuz=[0x40, 0xC0], float8e8m0=[0x7F, 0x80],
)
PACKED = dict(uint4=(3, [0x21, 0x0F]), int4=(3, [0x8F, 0x07]), float4e2m1=(3, [0x21, 0x03]), uint2=(5, [0xE4, 0x01]), int2=(5, [0xE4, 0x03]))

constants = [
    typed("float32_field", T.FLOAT, [2], "float_data", [1.5, -0.0]),
    typed("float64_field", T.DOUBLE, [2], "double_data", [1e300, -1e-300]),
    typed("complex64_field", T.COMPLEX64, [1], "float_data", [1.0, -2.0]),
    typed("complex128_field", T.COMPLEX128, [1], "double_data", [1.0, -2.0]),
    typed("int64_field", T.INT64, [4], "int64_data", [-1, 2**62, -(2**63), 2**63 - 1]),
    typed("uint64_field", T.UINT64, [2], "uint64_data", [2**64 - 1, 0]),
    typed("uint32_field", T.UINT32, [2], "uint64_data", [2**32 - 1, 0]),
    typed("string_field", T.STRING, [2, 1], "string_data", [b"caf\xc3\xa9", b"\xff\x00"]),
    T(name="empty_field", data_type=T.FLOAT, dims=[0, 3]),
    T(name="scalar_field", data_type=T.FLOAT, dims=[], float_data=[7.0]),
    raw("float32_raw", T.FLOAT, [2, 2], np.arange(4, dtype="<f4").tobytes()),
    raw("int64_raw", T.INT64, [2], np.array([-5, 5], "<i8").tobytes()),
    raw("bool_raw", T.BOOL, [3], [1, 0, 1]),
]
for name, values in SMALL.items():
    code = T.DataType.Value(name.upper())
    constants.append(typed(name + "_field", code, [len(values)], "int32_data", values))
for name, (count, data) in PACKED.items():
    code = T.DataType.Value(name.upper())
    constants.append(typed(name + "_field", code, [count], "int32_data", data))
    constants.append(raw(name + "_raw", code, [count], data))
constants[0].doc_string = "a constant"
meta(constants[0], "constant")

sparse = onnx.SparseTensorProto(dims=[3, 4])
sparse.values.CopyFrom(raw("sparse_weight", T.FLOAT, [2], np.array([1, 2], "<f4").tobytes()))
sparse.indices.CopyFrom(raw("sparse_at", T.INT64, [2], np.array([1, 7], "<i8").tobytes()))

x = h.make_tensor_value_info("x", T.FLOAT, ["N", 4, None])
x.doc_string = "an input"
meta(x, "input")
x.type.denotation = "TENSOR"
x.type.tensor_type.shape.dim[0].denotation = "DATA_BATCH"
unranked = h.make_tensor_value_info("unranked", T.FLOAT, [None])
sequence = h.make_value_info("sequence", h.make_sequence_type_proto(h.make_tensor_type_proto(T.FLOAT, [2])))
optional = h.make_value_info("optional", h.make_optional_type_proto(h.make_tensor_type_proto(T.INT64, [])))
mapping = h.make_value_info("mapping", h.make_map_type_proto(T.STRING, h.make_sequence_type_proto(h.make_tensor_type_proto(T.FLOAT, [None]))))
sparse_input = h.make_sparse_tensor_value_info("sparse_input", T.FLOAT, [3, "M"])
inputs = [x, unranked, sequence, optional, mapping, sparse_input, h.make_tensor_value_info("cond", T.BOOL, []), h.make_tensor_value_info("trips", T.INT64, [])]


def branch(name, value):
    out = h.make_tensor_value_info(name + "_out", T.FLOAT, ["N", 4, None])
    node = h.make_node("Add", ["y", name + "_c"], [name + "_out"])
    g = h.make_graph([node], name, [], [out], [raw(name + "_c", T.FLOAT, [], np.float32(value).tobytes())], doc_string="a branch")
    meta(g, name)
    return g


loop = h.make_graph(
    [h.make_node("Identity", ["loop_cond"], ["loop_cond_out"]), h.make_node("Mul", ["loop_v", "y"], ["loop_v_out"])],
    "loop_body",
    [h.make_tensor_value_info("i", T.INT64, []), h.make_tensor_value_info("loop_cond", T.BOOL, []), h.make_tensor_value_info("loop_v", T.FLOAT, None)],
    [h.make_tensor_value_info("loop_cond_out", T.BOOL, []), h.make_tensor_value_info("loop_v_out", T.FLOAT, None)],
)
scan = h.make_graph(
    [h.make_node("Add", ["s", "e"], ["s_out"]), h.make_node("Identity", ["s_out"], ["e_out"])],
    "scan_body",
    [h.make_tensor_value_info("s", T.FLOAT, None), h.make_tensor_value_info("e", T.FLOAT, None)],
    [h.make_tensor_value_info("s_out", T.FLOAT, None), h.make_tensor_value_info("e_out", T.FLOAT, None)],
)

first = h.make_node("LeakyRelu", ["x"], ["y"], name="first", doc_string="a node", alpha=0.1)
meta(first, "node")
first.attribute[0].doc_string = "an attribute"
called = h.make_node("Scaled", ["y"], ["scaled"], name="called", domain="pare.test", overload="v2", slope=0.25)
many = h.make_node(
    "Everything", ["y", "", "float32_raw"], ["", "many"], name="many", domain="pare.test.ops",
    f=1.25, i=-7, s="text", fs=[0.1, float("inf")], is_=[1, -(2**63)], ss=["a", "b"],
    t=raw("inner", T.INT8, [2], [1, 255]), tp=h.make_tensor_type_proto(T.FLOAT, ["K"]),
    ts=[raw("", T.FLOAT, [1], np.float32(3).tobytes())], sp=sparse, tps=[h.make_sequence_type_proto(h.make_tensor_type_proto(T.INT64, None))],
    gs=[branch("many_a", 1.0)],
)
many.attribute.append(h.make_attribute("bytes", b"\xff\xfe"))
many.attribute.append(A(name="empty_list", type=A.INTS))
nodes = [
    first,
    h.make_node("If", ["cond"], ["chosen"], name="choose", then_branch=branch("then", 1.0), else_branch=branch("else", 2.0)),
    h.make_node("Loop", ["trips", "cond", "y"], ["looped"], name="loop", body=loop),
    h.make_node("Scan", ["scalar_field", "float32_field"], ["scan_last", "scan_all"], name="scan", body=scan, num_scan_inputs=1),
    called,
    many,
]

relu = h.make_function(
    "pare.test", "Scaled", ["a"], ["b"],
    [h.make_node("Constant", [], ["zero"], value_float=0.0), h.make_node("LeakyRelu", ["a"], ["l"]), h.make_node("Add", ["l", "zero"], ["b"])],
    [h.make_opsetid("", 21)], attributes=["slope"], attribute_protos=[h.make_attribute("bias", 0.5)], doc_string="a function", overload="v2",
    value_info=[h.make_tensor_value_info("l", T.FLOAT, None)],
)
reference = A(name="alpha", type=A.FLOAT, ref_attr_name="slope")
relu.node[1].attribute.append(reference)
meta(relu, "function")

graph = h.make_graph(
    nodes, "everything", inputs,
    [h.make_tensor_value_info("chosen", T.FLOAT, [None]), h.make_tensor_value_info("looped", T.FLOAT, [None]), h.make_tensor_value_info("scan_all", T.FLOAT, [None]), h.make_tensor_value_info("scaled", T.FLOAT, [None]), h.make_tensor_value_info("many", T.FLOAT, [None])],
    constants, doc_string="a graph", value_info=[h.make_tensor_value_info("y", T.FLOAT, ["N", 4, None])], sparse_initializer=[sparse],
)
meta(graph, "graph")
annotation = graph.quantization_annotation.add()
annotation.tensor_name = "y"
pair = annotation.quant_parameter_tensor_names.add()
pair.key, pair.value = "SCALE_TENSOR", "scalar_field"

model = h.make_model(
    graph, producer_name="pare", producer_version="0", domain="pare.test", model_version=2**40, doc_string="a model",
    opset_imports=[h.make_opsetid("", 21), h.make_opsetid("pare.test", 1), h.make_opsetid("pare.test.ops", 1)], functions=[relu], ir_version=13,
)
meta(model, "model")
onnx.checker.check_model(model)
onnx.save(model, "everything.onnx")


# The part that the checker refuses: what later versions may bring. Field 999 of every kind of message, each wire type.
def varint(n):
    out = b""
    while n > 127:
        out, n = out + bytes([n & 127 | 128]), n >> 7
    return out + bytes([n])


FUTURE = [varint(999 << 3) + varint(300), varint(999 << 3 | 1) + b"12345678", varint(999 << 3 | 2) + b"\x03abc", varint(999 << 3 | 5) + b"1234", varint(999 << 3 | 3) + varint(1 << 3) + b"\x05" + varint(999 << 3 | 4)]
count = 0


def future(proto):
    global count
    for field, value in proto.ListFields():
        if field.message_type is None:
            continue
        for m in value if not hasattr(value, "ListFields") else [value]:
            future(m)
    proto.MergeFromString(FUTURE[count % len(FUTURE)])
    count += 1


later = onnx.ModelProto()
later.CopyFrom(model)
g = later.graph
g.initializer.append(raw("future_type", 77, [2], b"anything at all"))
g.input.append(h.make_tensor_value_info("future_input", 78, [1]))
g.node[5].attribute.append(A(name="future_attribute"))
g.node[5].attribute[-1].MergeFromString(varint(20 << 3) + varint(99) + varint(7 << 3 | 5) + b"\0\0\x80\x3f")
opaque = onnx.ValueInfoProto(name="opaque")
opaque.type.opaque_type.domain, opaque.type.opaque_type.name = "pare.test", "Thing"
g.input.append(opaque)
g.input.append(onnx.ValueInfoProto(name="untyped"))
twice = later.metadata_props.add()
twice.key, twice.value = "at", "a second time"
later.training_info.add().algorithm.name = "kept as it is"
g.node[0].device_configurations.add().configuration_id = "kept as it is"
later.configuration.add(name="kept as it is", num_devices=2)
future(later)
later.MergeFromString(varint(6 << 3 | 2) + b"\x02\xff\xfe")
with open("everything-later.onnx", "wb") as f:
    f.write(later.SerializeToString())
print(count, "messages;", onnx.__version__)
