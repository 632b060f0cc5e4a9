"""The peer: what onnxruntime.quantization makes of one model, configured as a good user would, each variant timed.

    python quantize_ort.py MODEL.onnx CALIBRATION.npz OUTDIR [--limit 60] [--only REGEX]
    python quantize_ort.py --timed MODEL.onnx CALIBRATION.npz OUTDIR

Writes OUTDIR/<variant>.onnx and OUTDIR/results.json. Each variant runs in a fresh process, so that its wall time and
peak memory are its own and a crash or a limit stops it alone. The .npz holds, per input, the samples stacked along a
new first axis. Four bases are tried: the file as it is (raw), after the tool's own pre-processing (pre), raised to
opset 17 first (up), which per-channel weights need in models older than opset 13, and, where pre-processing makes the
file larger, raised and with shapes only, its optimization left out (lean). FusedConv, which hides shapes from the tool,
is split into Conv and activation before raising, as a user could. Calibration ranges are cached per
base and method, as the tool allows; `calibrated` tells which variants paid for them.
"""

import argparse
import json
import os
import platform
import re
import resource
import subprocess
import sys
import time
from pathlib import Path

MEMORY_LIMIT = 10 << 30

# The per-channel path fails on an array's truth value; leaving out its adjustment of scales for int32 biases helps.
RETRY = {"QDQDisableWeightAdjustForInt32Bias": True}
COMPUTE_OPS = ["Conv", "MatMul", "Gemm"]
MATRIX_OPS = ["MatMul", "Gemm", "LSTM", "Gather", "Attention", "EmbedLayerNormalization"]


def variants():
    """All configurations, as {name: options}; those on the raw file come last, as a fallback that the others replace."""
    table = {}
    for base in ("pre", "up", "lean", "raw"):
        for weights in ("QInt8", "QUInt8"):
            table[f"{base}-dynamic-{weights.lower()}"] = {"kind": "dynamic", "weights": weights}
            table[f"{base}-dynamic-matmul-{weights.lower()}"] = {"kind": "dynamic", "weights": weights, "ops": MATRIX_OPS}
        table[f"{base}-dynamic-matmul-qint8-channel"] = {
            "kind": "dynamic", "weights": "QInt8", "ops": MATRIX_OPS, "channel": True,
        }
        table[f"{base}-dynamic-subgraphs-qint8"] = {
            "kind": "dynamic", "weights": "QInt8", "ops": MATRIX_OPS, "extra": {"EnableSubgraph": True},
        }
        if base not in ("up", "lean"):
            for bits, block in ((4, 32), (4, 128), (8, 128)):
                table[f"{base}-nbits{bits}-block{block}"] = {"kind": "nbits", "bits": bits, "block": block}
        for channel in (False, True):
            for activations in ("QUInt8", "QInt8"):
                for method in ("minmax", "entropy", "percentile"):
                    if method != "minmax" and (activations == "QInt8" or base in ("raw", "lean")):
                        continue
                    name = f"{base}-static-{'u8s8' if activations == 'QUInt8' else 's8s8'}"
                    name += f"-{'channel' if channel else 'tensor'}-{method}"
                    table[name] = {
                        "kind": "static", "activations": activations, "weights": "QInt8",
                        "channel": channel, "method": method,
                    }
            if base != "raw":
                table[f"{base}-static-u8s8-{'channel' if channel else 'tensor'}-minmax-compute"] = {
                    "kind": "static", "activations": "QUInt8", "weights": "QInt8",
                    "channel": channel, "method": "minmax", "ops": COMPUTE_OPS,
                }
        if base != "raw":
            table[f"{base}-static-qoperator-u8s8-tensor-minmax"] = {
                "kind": "static", "activations": "QUInt8", "weights": "QInt8",
                "channel": False, "method": "minmax", "format": "QOperator",
            }
    for options_name, options in table.items():
        options["base"] = options_name.split("-")[0]
    return table


def reader(path, limit=None):
    """A CalibrationDataReader over the samples of an .npz."""
    import numpy as np
    from onnxruntime.quantization import CalibrationDataReader

    class Reader(CalibrationDataReader):
        def __init__(self):
            with np.load(path) as archive:
                self.arrays = {name: archive[name] for name in archive.files if name != "labels"}
            self.count = min(len(a) for a in self.arrays.values())
            if limit is not None:
                self.count = min(self.count, limit)
            self.next = 0

        def get_next(self):
            if self.next >= self.count:
                return None
            feeds = {name: np.asarray(a[self.next]) for name, a in self.arrays.items()}
            self.next += 1
            return feeds

        def __len__(self):
            return self.count

    return Reader()


def split_fused(graph):
    """Replaces com.microsoft.FusedConv without a sum by Conv and its activation; returns how many."""
    import onnx

    nodes, count = [], 0
    for node in graph.node:
        attributes = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
        activation = attributes.pop("activation", b"").decode()
        if node.op_type != "FusedConv" or activation not in ("Relu", "Clip") or len(node.input) > 3:
            nodes.append(node)
            continue
        between = node.output[0] + "_before_activation"
        bounds = [f"{between}_{i}" for i, _ in enumerate(attributes.get("activation_params", []))]
        for name, value in zip(bounds, attributes.pop("activation_params", [])):
            graph.initializer.append(onnx.helper.make_tensor(name, onnx.TensorProto.FLOAT, [], [value]))
        nodes.append(onnx.helper.make_node("Conv", node.input, [between], name=node.name, **attributes))
        nodes.append(onnx.helper.make_node(activation, [between, *bounds], node.output, name=node.name + "_activation"))
        count += 1
    del graph.node[:]
    graph.node.extend(nodes)
    return count


def prepare(model, base, out):
    """Writes the base model and returns how it was made; raises where it cannot be made."""
    import onnx
    from onnxruntime.quantization.shape_inference import quant_pre_process

    if base == "raw":
        return {"path": model, "how": "as it is"}
    target = str(out / f"{base}.base.onnx")
    source = model
    how = []
    attempts = [{}, {"skip_symbolic_shape": True}, {"skip_optimization": True, "skip_symbolic_shape": True}]
    if base == "lean":
        optimized = out / "pre.base.onnx"
        if optimized.exists() and optimized.stat().st_size <= 1.02 * os.path.getsize(model):
            raise ValueError("not needed: pre-processing does not enlarge the file")
        attempts = [{"skip_optimization": True}, {"skip_optimization": True, "skip_symbolic_shape": True}]
    if base in ("up", "lean"):
        loaded = onnx.load(model)
        opset = next(o.version for o in loaded.opset_import if o.domain in ("", "ai.onnx"))
        if opset >= 13 and base == "up":
            raise ValueError(f"not needed: opset {opset}")
        if split_fused(loaded.graph):
            how.append("FusedConv split")
        if opset < 13:
            source = str(out / f"{base}.raised.onnx")
            onnx.save(onnx.version_converter.convert_version(loaded, 17), source)
            how.append(f"opset {opset} to 17")
    reasons = []
    for options in attempts:
        try:
            quant_pre_process(source, target, **options)
            how.append(f"quant_pre_process {options or ''}".strip())
            return {"path": target, "how": ", ".join(how), "failed": reasons}
        except Exception as error:  # the tool raises many kinds; each is a result
            reasons.append(f"{options}: {type(error).__name__}: {str(error)[:300]}")
    raise RuntimeError("; ".join(reasons))


def quantize(base_path, calibration, target, options, cache=None, extra=None, excluded=None):
    """Runs one configuration; returns the seconds in the tool itself, the reading of the samples left out."""
    import onnxruntime.quantization as q

    methods = {
        "minmax": q.CalibrationMethod.MinMax,
        "entropy": q.CalibrationMethod.Entropy,
        "percentile": q.CalibrationMethod.Percentile,
    }
    samples = reader(calibration) if options["kind"] == "static" else None
    start = time.perf_counter()
    if options["kind"] == "nbits":
        import onnx
        from onnxruntime.quantization.matmul_nbits_quantizer import MatMulNBitsQuantizer

        tool = MatMulNBitsQuantizer(
            onnx.load(base_path), bits=options["bits"], block_size=options["block"], accuracy_level=4
        )
        tool.process()
        tool.model.save_model_to_file(target)
        return time.perf_counter() - start
    common = {
        "per_channel": options.get("channel", False),
        "reduce_range": False,
        "weight_type": getattr(q.QuantType, options["weights"]),
        "op_types_to_quantize": options.get("ops"),
        "nodes_to_exclude": list(excluded or []),
        "extra_options": {**options.get("extra", {}), **(extra or {})},
    }
    if options["kind"] == "dynamic":
        q.quantize_dynamic(base_path, target, **common)
    else:
        q.quantize_static(
            base_path,
            target,
            samples,
            quant_format=getattr(q.QuantFormat, options.get("format", "QDQ")),
            activation_type=getattr(q.QuantType, options["activations"]),
            calibrate_method=methods[options["method"]],
            calibration_cache_path=cache,
            **common,
        )
    return time.perf_counter() - start


def persistently(request, options, cache, answer):
    """Quantizes as a user would who reads the tool's messages: on its two known complaints, tries what helps. Returns the seconds of all tries."""
    import onnx

    extra, excluded = None, []
    start = time.perf_counter()
    while True:
        try:
            quantize(request["base"], request["calibration"], request["target"], options, cache, extra, excluded)
            return time.perf_counter() - start
        except Exception as error:
            answer.setdefault("firstError", f"{type(error).__name__}: {str(error)[:200]}")
            unknown = re.search(r"valid quantization scale for input '([^']+)'", str(error))
            if options["kind"] != "static":
                raise
            if unknown is not None:
                nodes = onnx.load(request["base"]).graph.node
                fresh = [n.name for n in nodes if unknown[1] in n.input and n.name not in excluded]
                if not fresh:
                    raise
                excluded += fresh
                answer["excludedNodes"] = len(excluded)
            elif "truth value" in str(error) and extra is None:
                extra = answer["retriedWith"] = RETRY
            else:
                raise


def child(request):
    """One unit of work in a process of its own; prints a line of JSON last."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_LIMIT, MEMORY_LIMIT))
    try:
        if request["task"] == "prepare":
            answer = prepare(request["model"], request["base"], Path(request["out"]))
        else:
            options = request["options"]
            cache = request.get("cache")
            calibrated = options["kind"] == "static" and not (cache and os.path.exists(cache))
            answer = {"calibrated": calibrated}
            seconds = persistently(request, options, cache, answer)
            answer["seconds"] = round(seconds, 3)
    except BaseException as error:
        answer = {"error": f"{type(error).__name__}: {str(error)[:400]}"}
    answer["peakRssKb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print("\n" + json.dumps(answer))


def timed(model, calibration, out):
    """Pre-processes and quantizes statically (QDQ, u8s8, per tensor, min-max); prints the seconds of each as JSON."""
    options = {"kind": "static", "activations": "QUInt8", "weights": "QInt8", "method": "minmax"}
    model, calibration, out = (os.path.abspath(path) for path in (model, calibration, out))
    os.chdir(out)  # the tool leaves files in the working folder
    start = time.perf_counter()
    base = prepare(model, "pre", Path(out))["path"]
    prepared = time.perf_counter()
    target = os.path.join(out, "timed.onnx")
    seconds = quantize(base, calibration, target, options)
    print("\n" + json.dumps({"prepare": prepared - start, "quantize": seconds, "bytes": os.path.getsize(target)}))


def spawn(request, limit):
    """Runs `child` and returns its answer with the wall time of the whole process."""
    start = time.perf_counter()
    command = [sys.executable, "-W", "ignore", os.path.abspath(__file__), "--child", json.dumps(request)]
    try:
        # The tool leaves files in the working folder.
        done = subprocess.run(command, capture_output=True, text=True, timeout=limit, cwd=request["out"])
        lines = done.stdout.strip().splitlines()
        if done.returncode == 0 and lines:
            answer = json.loads(lines[-1])
        else:
            answer = {"error": f"process ended with {done.returncode}: {done.stderr.strip()[-300:]}"}
    except subprocess.TimeoutExpired:
        answer = {"error": f"stopped after {limit} s"}
    answer["processSeconds"] = round(time.perf_counter() - start, 3)
    return answer


def main():
    if sys.argv[1] == "--child":
        child(json.loads(sys.argv[2]))
        return
    if sys.argv[1] == "--timed":
        timed(*sys.argv[2:5])
        return
    parser = argparse.ArgumentParser()
    parser.add_argument("model")
    parser.add_argument("calibration")
    parser.add_argument("out", type=Path)
    parser.add_argument("--limit", type=float, default=60)
    parser.add_argument("--only", default="")
    arguments = parser.parse_args()
    import numpy
    import onnx
    import onnxruntime

    arguments.model, arguments.calibration = map(os.path.abspath, (arguments.model, arguments.calibration))
    out = arguments.out.resolve()
    out.mkdir(parents=True, exist_ok=True)
    for stale in out.glob("*.cache.json"):
        stale.unlink()
    result = {
        "model": os.path.basename(arguments.model),
        "bytes": os.path.getsize(arguments.model),
        "versions": {
            "python": platform.python_version(), "onnxruntime": onnxruntime.__version__,
            "onnx": onnx.__version__, "numpy": numpy.__version__,
        },
        "limitSeconds": arguments.limit,
        "bases": {},
        "variants": [],
    }
    has_subgraphs = any(
        a.type in (onnx.AttributeProto.GRAPH, onnx.AttributeProto.GRAPHS)
        for node in onnx.load(arguments.model).graph.node for a in node.attribute
    )
    for base in ("raw", "pre", "up", "lean"):
        request = {"task": "prepare", "model": arguments.model, "base": base, "out": str(out)}
        result["bases"][base] = spawn(request, arguments.limit)
    for name, options in variants().items():
        if not re.search(arguments.only, name):
            continue
        if "subgraphs" in name and not has_subgraphs:
            continue
        base = result["bases"][options["base"]]
        if "path" not in base:
            if "not needed" not in base.get("error", ""):
                result["variants"].append({"variant": name, "error": f"no base: {base['error']}"})
            continue
        target = out / f"{name}.onnx"
        target.unlink(missing_ok=True)
        request = {
            "task": "quantize", "base": base["path"], "calibration": arguments.calibration,
            "target": str(target), "options": options, "out": str(out),
        }
        if options["kind"] == "static":
            ops = "-compute" if "ops" in options else ""
            shape = "-qoperator" if "format" in options else ""
            request["cache"] = str(out / f"{options['base']}-{options['method']}{ops}{shape}.cache.json")
        answer = spawn(request, arguments.limit)
        if "error" in answer:
            target.unlink(missing_ok=True)
        else:
            answer["bytes"] = target.stat().st_size
        result["variants"].append({"variant": name, **answer})
        print(name, answer.get("bytes", answer.get("error", "")[:140]), answer["processSeconds"], flush=True)
    (out / "results.json").write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
