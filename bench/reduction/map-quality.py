"""How good a map is, whoever made it: python map-quality.py FOLDER, of map.npy with x.npy and labels.npy."""

import json
import os
import sys

import numpy as np
from openTSNE.affinity import PerplexityBasedNN
from sklearn.neighbors import NearestNeighbors

folder = sys.argv[1]
x, labels, points = (np.load(os.path.join(folder, f"{name}.npy")) for name in ("x", "labels", "map"))

# The affinities are the same for all tools: they are computed once.
kept = os.path.join(folder, "affinities.npz")
if os.path.exists(kept):
    p = np.load(kept)
    row, column, value = p["row"], p["column"], p["value"]
else:
    p = PerplexityBasedNN(x, perplexity=30, method="exact", n_jobs=-1).P.tocoo()
    row, column, value = p.row, p.col, p.data
    np.savez(kept, row=row, column=column, value=value)

z = 0.0
for i in range(0, len(points), 250):
    square = sum((points[i : i + 250, None, d] - points[None, :, d]) ** 2 for d in (0, 1))
    z += (1 / (1 + square)).sum()
z -= len(points)
q = 1 / (1 + ((points[row] - points[column]) ** 2).sum(1)) / z
divergence = float((value * np.log(value / q)).sum())

near = NearestNeighbors(n_neighbors=11).fit(points).kneighbors(points, return_distance=False)[:, 1:]
votes = labels.astype(int)[near]
most = np.array([np.bincount(row, minlength=10).argmax() for row in votes])
print(json.dumps({"KL": divergence, "10-NN": float((most == labels).mean())}))
