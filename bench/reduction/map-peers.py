"""One map by a peer: python map-peers.py FOLDER SEED TOOL THREADS; x.npy to map.npy, the seconds are printed."""

import json
import os
import sys
import time

import numpy as np

folder, seed, tool, threads = sys.argv[1], int(sys.argv[2]), sys.argv[3], int(sys.argv[4])
x = np.load(os.path.join(folder, "x.npy"))

if tool == "openTSNE":
    import openTSNE as package

    begin = time.perf_counter()
    found = package.TSNE(perplexity=30, n_jobs=threads, random_state=seed).fit(x)
else:
    import sklearn as package
    from sklearn.manifold import TSNE

    begin = time.perf_counter()
    # Its iterations are those of both phases, of which the first has 250.
    found = TSNE(perplexity=30, max_iter=750, n_jobs=threads, random_state=seed).fit_transform(x)
seconds = time.perf_counter() - begin

np.save(os.path.join(folder, "map.npy"), np.asarray(found, dtype=np.float64))
print(json.dumps({"seconds": seconds, "version": package.__version__}))
