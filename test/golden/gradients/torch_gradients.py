"""Gradients of whole models by PyTorch, in float64, kept as golden numbers.

    python torch_gradients.py > torch-gradients.json

Weights and inputs are sin(a i + b), so that the numbers here are all that a test needs. The loss is the mean
cross-entropy of scores and classes i mod count.
"""

import json
import math

import torch
from torch import nn

torch.set_default_dtype(torch.float64)
OUT = {}


def wave(shape, b, scale=1.0):
    n = math.prod(shape)
    return (torch.sin(0.37 * torch.arange(n, dtype=torch.float64) + b) * scale).reshape(shape)


def leaf(shape, b, scale=1.0):
    return wave(shape, b, scale).requires_grad_()


def report(name, scores, weights):
    flat = scores.reshape(-1, scores.shape[-1])
    classes = torch.arange(flat.shape[0]) % flat.shape[1]
    loss = nn.functional.cross_entropy(flat, classes)
    grads = torch.autograd.grad(loss, list(weights.values()))
    OUT[name] = {
        "loss": loss.item(),
        "gradients": {key: [round(v, 12) for v in g.flatten().tolist()] for key, g in zip(weights, grads)},
    }


def mlp():
    w = {"w1": leaf([5, 4], 1, 0.5), "b1": leaf([4], 2, 0.1), "w2": leaf([4, 3], 3, 0.5), "b2": leaf([3], 4, 0.1)}
    h = nn.functional.gelu(wave([6, 5], 0) @ w["w1"] + w["b1"])
    report("mlp", h @ w["w2"] + w["b2"], w)


def cnn():
    w = {
        "k": leaf([4, 2, 3, 3], 1, 0.3),
        "kb": leaf([4], 2, 0.1),
        "s": leaf([4], 3),
        "t": leaf([4], 4, 0.1),
        "d": leaf([4, 1, 3, 3], 5, 0.3),
        "f": leaf([36, 3], 6, 0.2),
    }
    x = nn.functional.conv2d(wave([2, 2, 6, 6], 0), w["k"], w["kb"], padding=1)
    x = nn.functional.batch_norm(x, None, None, w["s"], w["t"], training=True)
    x = nn.functional.max_pool2d(nn.functional.leaky_relu(x, 0.1), 2)
    x = nn.functional.conv2d(x, w["d"], padding=1, groups=4)
    report("cnn", torch.sigmoid(x).reshape(2, 36) @ w["f"], w)


def attention():
    w = {
        "e": leaf([7, 8], 1, 0.5),
        "g": leaf([8], 2),
        "h": leaf([8], 3, 0.1),
        "qkv": leaf([8, 24], 4, 0.3),
        "o": leaf([8, 8], 5, 0.3),
        "v": leaf([8, 5], 6, 0.3),
    }
    tokens = (torch.arange(12) * 5 % 7).reshape(2, 6)
    x = w["e"][tokens]
    n = nn.functional.layer_norm(x, (8,), w["g"], w["h"])
    q, k, v = (n @ w["qkv"]).reshape(2, 6, 3, 2, 4).permute(2, 0, 3, 1, 4)
    mask = torch.triu(torch.full((6, 6), -1e9), 1)
    shares = torch.softmax((q / 2) @ k.transpose(-1, -2) + mask, -1)
    x = x + (shares @ v).transpose(1, 2).reshape(2, 6, 8) @ w["o"]
    report("attention", x @ w["v"], w)


def recurrent(kind):
    gates = {"lstm": 4, "gru": 3}[kind]
    cell = (nn.LSTM if kind == "lstm" else nn.GRU)(3, 4)
    shapes = {"w": [gates * 4, 3], "r": [gates * 4, 4], "bw": [gates * 4], "br": [gates * 4]}
    w = {key: leaf(shape, i + 1, 0.5) for i, (key, shape) in enumerate(shapes.items())}
    w["f"] = leaf([4, 3], 9, 0.5)
    y, _ = torch.func.functional_call(
        cell,
        {"weight_ih_l0": w["w"], "weight_hh_l0": w["r"], "bias_ih_l0": w["bw"], "bias_hh_l0": w["br"]},
        (wave([5, 2, 3], 0),),
    )
    report(kind, y[-1] @ w["f"], w)


mlp()
cnn()
attention()
recurrent("lstm")
recurrent("gru")
print(json.dumps({"torch": torch.__version__, "models": OUT}))
