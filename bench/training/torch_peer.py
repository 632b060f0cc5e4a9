"""The peer: the same network in PyTorch on the CPU.

    python torch_peer.py NAME THREADS EPOCHS

Prints the milliseconds of a step, epoch by epoch, the first one left out, as JSON.
"""

import json
import sys
import time

import torch
from torch import nn

name, threads, epochs = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
torch.set_num_threads(threads)
torch.manual_seed(0)


class Block(nn.Module):
    """Attention and two dense layers, each behind a normalization and added to what came in."""

    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.out = nn.Linear(width, 3 * width, bias=False), nn.Linear(width, width, bias=False)
        self.up, self.down = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, x):
        n, t, width = x.shape
        q, k, v = self.qkv(self.norm1(x)).view(n, t, 3, self.heads, width // self.heads).permute(2, 0, 3, 1, 4)
        mixed = nn.functional.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.out(mixed.transpose(1, 2).reshape(n, t, width))
        return x + self.down(nn.functional.gelu(self.up(self.norm2(x))))


class Transformer(nn.Module):
    def __init__(self):
        super().__init__()
        self.letters, self.places = nn.Embedding(65, 128), nn.Parameter(0.02 * torch.randn(128, 128))
        self.block, self.norm, self.head = Block(128, 4), nn.LayerNorm(128), nn.Linear(128, 65)

    def forward(self, x):
        return self.head(self.norm(self.block(self.letters(x) + self.places)))


def pictures(shape, count):
    return torch.randn(count, *shape), torch.randint(0, 10, (count,))


NETWORKS = {
    "mlp": (
        128,
        200,
        lambda: nn.Sequential(nn.Linear(784, 512), nn.ReLU(), nn.Linear(512, 256), nn.ReLU(), nn.Linear(256, 10)),
        lambda count: pictures((784,), count),
    ),
    "cnn": (
        64,
        100,
        lambda: nn.Sequential(
            nn.Conv2d(1, 16, 3, padding="same"),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(16, 32, 3, padding="same"),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Flatten(),
            nn.Linear(32 * 7 * 7, 128),
            nn.ReLU(),
            nn.Linear(128, 10),
        ),
        lambda count: pictures((1, 28, 28), count),
    ),
    "transformer": (
        16,
        50,
        Transformer,
        lambda count: (torch.randint(0, 65, (count, 128)), torch.randint(0, 65, (count, 128))),
    ),
}

batch, steps, build, make = NETWORKS[name]
model = build()
optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
x, y = make(batch * steps)
times = []
for epoch in range(epochs + 1):
    begin = time.perf_counter()
    order = torch.randperm(batch * steps)
    total = 0.0
    for i in range(steps):
        rows = order[i * batch : (i + 1) * batch]
        scores = model(x[rows])
        loss = nn.functional.cross_entropy(scores.flatten(0, -2), y[rows].flatten())
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        total += loss.item()
    times.append(1000 * (time.perf_counter() - begin) / steps)
print(json.dumps({"ms": times[1:], "version": torch.__version__}))
