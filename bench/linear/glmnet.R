# The peer in R: the same problems with glmnet.
#
#     Rscript glmnet.R FOLDER KIND
#
# FOLDER holds `warm` and `problem`; what was found goes to `found`, the seconds are printed.

suppressPackageStartupMessages(library(glmnet))
given <- commandArgs(trailingOnly = TRUE)
folder <- given[1]
kind <- given[2]

# NumPy's format, float64: a vector, or a matrix that lies column by column as R's do.
load_array <- function(name, array) {
  file <- file(file.path(folder, name, paste0(array, ".npy")), "rb")
  on.exit(close(file))
  start <- as.integer(readBin(file, "raw", 10))
  header <- rawToChar(readBin(file, "raw", start[9] + 256 * start[10]))
  shape <- sub(".*'shape': \\(([^)]*)\\).*", "\\1", header)
  shape <- as.numeric(regmatches(shape, gregexpr("[0-9]+", shape))[[1]])
  values <- readBin(file, "double", prod(shape))
  if (length(shape) > 1) dim(values) <- shape
  values
}

# Values in the order of rows.
save_array <- function(array, shape, values) {
  file <- file(file.path(folder, "found", paste0(array, ".npy")), "wb")
  on.exit(close(file))
  dims <- paste0("(", paste(shape, collapse = ", "), if (length(shape) == 1) ",", ")")
  header <- paste0("{'descr': '<f8', 'fortran_order': False, 'shape': ", dims, ", }")
  header <- paste0(formatC(header, width = -(ceiling((nchar(header) + 11) / 64) * 64 - 11)), "\n")
  writeBin(as.raw(c(0x93, utf8ToInt("NUMPY"), 1, 0, nchar(header) %% 256, nchar(header) %/% 256)), file)
  writeBin(charToRaw(header), file)
  writeBin(as.double(values), file)
}

solve_with <- function(name) {
  x <- load_array(name, "x")
  y <- load_array(name, "y")
  lambdas <- load_array(name, "lambdas")
  folds <- if (kind == "cv") load_array(name, "folds") + 1
  begin <- proc.time()[["elapsed"]]
  if (kind == "cv") {
    found <- cv.glmnet(x, y, lambda = lambdas, foldid = folds, standardize = FALSE)
    path <- found$glmnet.fit
    at <- which.min(found$cvm)
  } else {
    path <- glmnet(x, y, family = if (kind == "binomial") "binomial" else "gaussian", lambda = lambdas, standardize = FALSE)
    at <- seq_along(path$lambda)
  }
  seconds <- proc.time()[["elapsed"]] - begin
  beta <- as.matrix(path$beta)[, at, drop = FALSE]
  list(
    lambdas = path$lambda[at], beta = beta, intercepts = path$a0[at], seconds = seconds,
    error = if (kind == "cv") found$cvm[at] else NULL
  )
}

invisible(solve_with("warm"))
found <- solve_with("problem")
count <- length(found$lambdas)
save_array("lambdas", count, found$lambdas)
save_array("coefficients", c(count, 1, nrow(found$beta)), found$beta)
save_array("intercepts", c(count, 1), found$intercepts)
error <- if (is.null(found$error)) "null" else format(found$error, digits = 17)
cat(sprintf('{"seconds": %.6f, "version": "%s", "error": %s}\n', found$seconds, packageVersion("glmnet"), error))
