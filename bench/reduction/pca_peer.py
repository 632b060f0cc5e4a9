"""The same with scikit-learn: python pca_peer.py FILE WAY COMPONENTS THREADS. Streamed rows go to IncrementalPCA."""

import json
import sys
import time

import numpy as np
import sklearn
from sklearn.decomposition import PCA, IncrementalPCA

file, way, components = sys.argv[1], sys.argv[2], int(sys.argv[3])

# Rows of a block.
ROWS = 8192


def streamed():
    x = np.load(file, mmap_mode="r")
    model = IncrementalPCA(n_components=components)
    for at in range(0, len(x), ROWS):
        model.partial_fit(np.array(x[at : at + ROWS]))
    return model


PCA(n_components=5).fit(np.random.default_rng(0).normal(size=(3000, 60)))
x = None if way == "streamed" else np.load(file).astype(way)
begin = time.perf_counter()
model = streamed() if x is None else PCA(n_components=components).fit(x)
seconds = time.perf_counter() - begin
print(json.dumps({"seconds": seconds, "version": sklearn.__version__, "variances": model.explained_variance_.astype(float).tolist()}))
