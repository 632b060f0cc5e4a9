"""The peers in Python: the same problems with scikit-learn and celer.

    python peers.py FOLDER KIND TOOL THREADS

FOLDER holds `warm` and `problem`; what was found goes to `found`, the seconds are printed.
"""

import json
import os
import sys
import time
import warnings

import numpy as np

folder, kind, tool, threads = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])

# Both stop at a duality gap of so many times yᵀy / n: of ½ yᵀy / n it is 1e-5.
TOLERANCE = 5e-6
PASSES = 1_000_000

if tool == "celer":
    import celer as package
    from celer import celer_path
else:
    import sklearn as package
    from sklearn.linear_model import LassoCV, LogisticRegression, RidgeCV, lasso_path


def one(lambdas, coefficients, intercepts=None):
    """One vector for each λ."""
    intercepts = np.zeros(len(lambdas)) if intercepts is None else np.atleast_1d(intercepts)
    return np.asarray(lambdas), np.asarray(coefficients)[:, None, :], intercepts[:, None], None


def path(x, y, lambdas, folds):
    if tool == "celer":
        lambdas, coefficients, _ = celer_path(x, y, "lasso", alphas=lambdas, tol=TOLERANCE, max_iter=1000)
    else:
        lambdas, coefficients, _ = lasso_path(x, y, alphas=lambdas, tol=TOLERANCE, max_iter=PASSES)
    return one(lambdas, coefficients.T)


def cv(x, y, lambdas, folds):
    splits = [(np.flatnonzero(folds != k), np.flatnonzero(folds == k)) for k in range(int(folds.max()) + 1)]
    model = LassoCV(alphas=lambdas, cv=splits, tol=TOLERANCE, max_iter=PASSES, n_jobs=threads).fit(x, y)
    return *one([model.alpha_], model.coef_[None], model.intercept_)[:3], model.mse_path_.mean(axis=1).min()


def multinomial(x, y, lambdas, folds):
    model = LogisticRegression(C=1 / (len(y) * lambdas[0]), tol=1e-4, max_iter=PASSES).fit(x, y)
    return lambdas, model.coef_[None], model.intercept_[None], None


def ridge(x, y, lambdas, folds):
    model = RidgeCV(alphas=len(y) * lambdas).fit(x, y)
    return *one([model.alpha_ / len(y)], model.coef_[None], model.intercept_)[:3], -model.best_score_


SOLVE = {"path": path, "cv": cv, "multinomial": multinomial, "ridge": ridge}


def read(name):
    load = lambda array: np.load(os.path.join(folder, name, array + ".npy"))
    return load("x"), load("y"), load("lambdas"), load("folds") if kind == "cv" else None


with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    SOLVE[kind](*read("warm"))
given = read("problem")
begin = time.perf_counter()
lambdas, coefficients, intercepts, error = SOLVE[kind](*given)
seconds = time.perf_counter() - begin
for name, array in (("lambdas", lambdas), ("coefficients", coefficients), ("intercepts", intercepts)):
    np.save(os.path.join(folder, "found", name + ".npy"), np.ascontiguousarray(array, dtype=np.float64))
print(json.dumps({"seconds": seconds, "version": package.__version__, "error": error}))
