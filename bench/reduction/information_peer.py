"""Mutual information by scikit-learn.

    python information_peer.py FOLDER KIND JOBS

FOLDER holds `warm` and `problem`; seconds and scores are printed.
"""

import json
import os
import sys
import time

import numpy as np
import sklearn
from sklearn.feature_selection import mutual_info_classif, mutual_info_regression

folder, kind, jobs = sys.argv[1], sys.argv[2], int(sys.argv[3])


def solve(x, y):
    if kind == "classes":
        return mutual_info_classif(x, y.astype(int), random_state=0, n_jobs=jobs)
    return mutual_info_regression(x, y, random_state=0, n_jobs=jobs)


def read(name):
    return tuple(np.load(os.path.join(folder, name, array + ".npy")) for array in ("x", "y"))


if __name__ == "__main__":
    solve(*read("warm"))
    x, y = read("problem")
    begin, used = time.perf_counter(), time.process_time()
    scores = solve(x, y)
    seconds = time.perf_counter() - begin
    processor = time.process_time() - used if jobs == 1 else None
    print(
        json.dumps(
            {
                "seconds": seconds,
                "processorSeconds": processor,
                "scores": scores.tolist(),
                "version": sklearn.__version__,
            }
        )
    )
