"""Losses of self-supervised learning as their papers write them, in slow loops of NumPy over images and dimensions."""

import numpy as np


def cosine(a, b):
    return a @ b / (np.linalg.norm(a) * np.linalg.norm(b))


def decoupled(z_a, z_b, temperature):
    """arXiv:2110.06848, Eq. 6: the denominator sums over both views of all other images."""
    views, n, total = (z_a, z_b), len(z_a), 0.0
    for k in range(2):
        for i in range(n):
            strangers = [views[m][j] for m in range(2) for j in range(n) if j != i]
            denominator = sum(np.exp(cosine(views[k][i], other) / temperature) for other in strangers)
            total += -cosine(views[k][i], views[1 - k][i]) / temperature + np.log(denominator)
    return total / (2 * n)


def supervised(labels, z_a, z_b, temperature):
    """arXiv:2004.11362, Eq. 2, as a mean over the 2n views; a label below 0 makes a class of its image alone."""
    z, n = [*z_a, *z_b], len(z_a)
    classes = [label if label >= 0 else -1 - i for i, label in enumerate(labels)] * 2
    total = 0.0
    for i in range(2 * n):
        others = [a for a in range(2 * n) if a != i]
        denominator = sum(np.exp(cosine(z[i], z[a]) / temperature) for a in others)
        positives = [p for p in others if classes[p] == classes[i]]
        logs = [np.log(np.exp(cosine(z[i], z[p]) / temperature) / denominator) for p in positives]
        total += -sum(logs) / len(positives)
    return total / (2 * n)


def barlow_twins(z_a, z_b, weight):
    """arXiv:2103.03230, Eq. 1 and 2; 1e-5 is added to variances, as the batch norm of the authors' code does."""
    n, d = z_a.shape
    a, b = ((z - z.mean(0)) / np.sqrt(z.var(0) + 1e-5) for z in (z_a, z_b))
    total = 0.0
    for i in range(d):
        for j in range(d):
            correlation = sum(a[row, i] * b[row, j] for row in range(n)) / n
            total += (1 - correlation) ** 2 if i == j else weight * correlation**2
    return total


def vicreg(z_a, z_b, weight):
    """arXiv:2105.04906, Algorithm 1 with lambda = mu = 25: Eq. 1 to 4, and the mean of squared distances."""
    n, d = z_a.shape
    distance = sum((z_a[i, j] - z_b[i, j]) ** 2 for i in range(n) for j in range(d)) / (n * d)
    variance = covariance = 0.0
    for z in (z_a, z_b):
        means = [sum(z[:, j]) / n for j in range(d)]
        matrix = np.zeros((d, d))
        for j in range(d):
            for k in range(d):
                matrix[j, k] = sum((z[i, j] - means[j]) * (z[i, k] - means[k]) for i in range(n)) / (n - 1)
        variance += sum(max(0.0, 1 - np.sqrt(matrix[j, j] + 1e-4)) for j in range(d)) / d
        covariance += sum(matrix[j, k] ** 2 for j in range(d) for k in range(d) if j != k) / d
    return 25 * distance + 25 * variance + weight * covariance


def simsiam(z_a, z_b, p_a, p_b):
    """arXiv:2011.10566, Eq. 1 and 4, with what is predicted held still by whoever differentiates."""
    n = len(z_a)
    return sum(-cosine(p_a[i], z_b[i]) / 2 - cosine(p_b[i], z_a[i]) / 2 for i in range(n)) / n


def byol(t_a, t_b, p_a, p_b):
    """arXiv:2006.07733, Eq. 2 and the sum of both directions below it: squared distances of normalised vectors."""

    def unit(vector):
        return vector / np.linalg.norm(vector)

    n = len(t_a)
    return (
        sum(np.sum((unit(p_a[i]) - unit(t_b[i])) ** 2) + np.sum((unit(p_b[i]) - unit(t_a[i])) ** 2) for i in range(n))
        / n
    )


def moco(queries, keys, queue, temperature):
    """arXiv:1911.05722, Eq. 1 and Algorithm 1: one positive key for each query, and all keys of the queue."""
    total = 0.0
    for query, key in zip(queries, keys, strict=True):
        positive = np.exp(cosine(query, key) / temperature)
        total += -np.log(positive / (positive + sum(np.exp(cosine(query, old) / temperature) for old in queue)))
    return total / len(queries)
