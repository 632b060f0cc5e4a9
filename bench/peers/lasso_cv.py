"""LassoCV of a table whose last column is the target, as a script that a user would start."""

import sys

import numpy as np
from sklearn.linear_model import LassoCV

data = np.loadtxt(sys.argv[1], delimiter=",", skiprows=1)
x, y = data[:, :-1], data[:, -1]
x = (x - x.mean(0)) / x.std(0)
model = LassoCV(cv=10).fit(x, y)
print(model.alpha_, *model.coef_)
