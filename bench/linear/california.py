"""The peer: a lasso of a table by cross-validation, and the same predictions from an ONNX file.

    python california.py fit TABLE TARGET MODEL
    python california.py predict TABLE TARGET MODEL OUT

`fit` is a whole script as one would write it; `predict` writes the predictions of MODEL as .npy.
"""

import sys

import numpy as np

task, table, target, model = sys.argv[1:5]
with open(table) as file:
    names = file.readline().strip().split(",")
data = np.loadtxt(table, delimiter=",", skiprows=1)
at = names.index(target)
x, y = np.delete(data, at, axis=1), data[:, at]

if task == "fit":
    import json

    import joblib
    import sklearn
    from sklearn.linear_model import LassoCV
    from sklearn.model_selection import KFold
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    folds = KFold(10, shuffle=True, random_state=0)
    fitted = make_pipeline(StandardScaler(), LassoCV(cv=folds)).fit(x, y)
    joblib.dump(fitted, model)
    lasso = fitted[-1]
    answer = {"lambda": lasso.alpha_, "error": lasso.mse_path_.mean(axis=1).min(), "version": sklearn.__version__}
    print(json.dumps({**answer, "explained": fitted.score(x, y)}))
else:
    import onnxruntime

    session = onnxruntime.InferenceSession(model)
    feeds = {name: data[:, [k]] for k, name in enumerate(names) if name != target}
    np.save(sys.argv[5], session.run(["prediction"], feeds)[0].ravel())
    print(onnxruntime.__version__)
