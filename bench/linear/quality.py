"""How good an answer is, recomputed in float64 from X and the coefficients alone, for all tools by the same lines.

    python quality.py FOLDER KIND

FOLDER holds `problem` and `found`. Prints as JSON: `empty`, the objective without columns; for each of the `lambdas` the
`objectives`, and `duals`, which none can fall below; `kkt`, the largest violation of the optimality conditions over all
λ, that of the intercept too, as a part of λ; `error`, the leave-one-out error of a ridge.
"""

import json
import os
import sys

import numpy as np
from scipy.linalg import cholesky, solve_triangular
from scipy.special import expit, logsumexp, xlogy

folder, kind = sys.argv[1], sys.argv[2]
load = lambda *name: np.load(os.path.join(folder, *name) + ".npy")
x, y = load("problem", "x"), load("problem", "y")
lambdas, coefficients, intercepts = (load("found", name) for name in ("lambdas", "coefficients", "intercepts"))
n, p = x.shape


def loss(eta):
    """The mean loss, and its slopes [n, K]."""
    if kind == "binomial":
        e = eta[:, 0]
        return np.mean(np.logaddexp(0, e) - y * e), (expit(e) - y)[:, None]
    if kind == "multinomial":
        total = logsumexp(eta, axis=1)
        labels = y.astype(int)
        slopes = np.exp(eta - total[:, None])
        slopes[np.arange(n), labels] -= 1
        return np.mean(total - eta[np.arange(n), labels]), slopes
    r = eta[:, 0] - y
    return 0.5 * np.mean(r * r), r[:, None]


def dual(eta, lam):
    """At slopes that sum to zero, as the intercept asks for, and are shrunk until no column pulls more than λ."""
    if kind == "binomial":
        for _ in range(20):
            q = expit(eta)
            eta = eta - np.mean(q - y) / np.mean(q * (1 - q))
        v = expit(eta) - y
    else:
        v = eta - y
        v -= v.mean()
    v *= min(1, lam / np.abs(v @ x / n).max())
    if kind == "binomial":
        return -np.mean(xlogy(y + v, y + v) + xlogy(1 - y - v, 1 - y - v))
    return -0.5 * np.mean(v * v) - np.mean(v * y)


def certificate(lam, beta, intercept):
    """Objective, dual, violation."""
    eta = x @ beta.T + intercept
    value, slopes = loss(eta)
    level = np.abs(slopes.mean(axis=0)).max()
    g = (slopes.T @ x) / n
    if kind in ("multinomial", "ridge"):
        s = g + lam * beta
        objective = value + 0.5 * lam * np.sum(beta**2)
        # Least squares of columns with mean 0 and the penalty are strongly convex with λ.
        bound = objective - np.sum(s * s) / (2 * lam) - 0.5 * level**2 if kind == "ridge" else None
        return objective, bound, max(np.abs(s).max(), level)
    violation = np.where(beta == 0, np.maximum(np.abs(g) - lam, 0), np.abs(g + lam * np.sign(beta)))
    return value + lam * np.abs(beta).sum(), dual(eta[:, 0], lam), max(violation.max(), level)


def left_out(lam, beta, intercept):
    """eᵢ = rᵢ / (1 − hᵢ) (Allen 1974), h from the Cholesky factor of XᵀX / n + λI."""
    mean = x.mean(axis=0)
    gram = x.T @ x / n - np.outer(mean, mean)
    factor = cholesky(gram + lam * np.eye(p), lower=True)
    h = np.full(n, 1 / n)
    for i in range(0, n, 10_000):
        h[i : i + 10_000] += np.sum(solve_triangular(factor, (x[i : i + 10_000] - mean).T, lower=True) ** 2, axis=0) / n
    return np.mean(((y - x @ beta[0] - intercept[0]) / (1 - h)) ** 2)


mean = y.mean()
empty = {
    "binomial": lambda: -xlogy(mean, mean) - xlogy(1 - mean, 1 - mean),
    "multinomial": lambda: -np.sum([xlogy(q, q) for q in np.bincount(y.astype(int)) / n]),
}.get(kind, lambda: 0.5 * np.var(y))()
found = [certificate(*each) for each in zip(lambdas, coefficients, intercepts)]
answer = {
    "empty": empty,
    "lambdas": lambdas.tolist(),
    "objectives": [objective for objective, _, _ in found],
    "duals": [bound for _, bound, _ in found],
    "kkt": max(violation / lam for (_, _, violation), lam in zip(found, lambdas)),
}
if kind == "ridge":
    answer["error"] = left_out(lambdas[0], coefficients[0], intercepts[0])
print(json.dumps(answer))
