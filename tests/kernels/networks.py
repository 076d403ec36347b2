"""Neural networks in plain NumPy: convolution by loops, LeNet, a residual block, softmax, MLP, batch normalisation."""

import numpy as np

from kernels.registry import array, kernel


def relu(x):
    return np.maximum(x, 0)


def conv2d(input, weights):
    K = weights.shape[0]
    N = input.shape[0]
    H_out = input.shape[1] - K + 1
    W_out = input.shape[2] - K + 1
    output = np.empty((N, H_out, W_out, weights.shape[3]), dtype=input.dtype)
    for i in range(H_out):
        for j in range(W_out):
            output[:, i, j, :] = np.sum(
                input[:, i : i + K, j : j + K, :, np.newaxis] * weights[np.newaxis, :, :, :], axis=(1, 2, 3)
            )
    return output


def maxpool2d(x):
    output = np.empty([x.shape[0], x.shape[1] // 2, x.shape[2] // 2, x.shape[3]], dtype=x.dtype)
    for i in range(x.shape[1] // 2):
        for j in range(x.shape[2] // 2):
            output[:, i, j, :] = np.max(x[:, 2 * i : 2 * i + 2, 2 * j : 2 * j + 2, :], axis=(1, 2))
    return output


def batchnorm2d(x, eps=1e-5):
    mean = np.mean(x, axis=0, keepdims=True)
    std = np.std(x, axis=0, keepdims=True)
    return (x - mean) / np.sqrt(std + eps)


@kernel(array(2, 5, 5, 2), array(3, 3, 2, 3), array(3))
def conv2d_bias(input, weights, bias):
    return conv2d(input, weights) + bias


@kernel(array(3, 4), jax=True)
def softmax(x):
    tmp_max = np.max(x, axis=-1, keepdims=True)
    tmp_out = np.exp(x - tmp_max)
    tmp_sum = np.sum(tmp_out, axis=-1, keepdims=True)
    return tmp_out / tmp_sum


@kernel(array(2, 3, 4, 4))
def softmax_in_place(x):
    out = x.copy()
    out -= out.max(axis=-1, keepdims=True)
    np.exp(out, out=out)
    out /= out.sum(axis=-1, keepdims=True)
    return out


@kernel(array(3, 4), array(4, 5), array(5), array(5, 2), array(2))
def mlp(x, w1, b1, w2, b2):
    h = relu(x @ w1 + b1)
    z = h @ w2 + b2
    e = np.exp(z - np.max(z, axis=-1, keepdims=True))
    return e / np.sum(e, axis=-1, keepdims=True)


@kernel(
    array(2, 12, 12, 1),
    array(3, 3, 1, 2),
    array(2),
    array(2, 2, 2, 3),
    array(3),
    array(12, 5),
    array(5),
    array(5, 4),
    array(4),
)
def lenet(image, conv1, conv1bias, conv2, conv2bias, fc1w, fc1b, fc2w, fc2b):
    N = image.shape[0]
    x = relu(conv2d(image, conv1) + conv1bias)
    x = maxpool2d(x)
    x = relu(conv2d(x, conv2) + conv2bias)
    x = maxpool2d(x)
    x = np.reshape(x, (N, x.shape[1] * x.shape[2] * x.shape[3]))
    x = relu(x @ fc1w + fc1b)
    return x @ fc2w + fc2b


@kernel(array(3, 4, 4, 2), array(1, 1, 2, 2), array(3, 3, 2, 2), array(1, 1, 2, 2))
def residual_block(input, conv1, conv2, conv3):
    padded = np.zeros((input.shape[0], input.shape[1] + 2, input.shape[2] + 2, conv1.shape[3]), dtype=input.dtype)
    padded[:, 1:-1, 1:-1, :] = conv2d(input, conv1)
    x = batchnorm2d(padded, 0.1)
    x = relu(x)
    x = conv2d(x, conv2)
    x = batchnorm2d(x, 0.1)
    x = relu(x)
    x = conv2d(x, conv3)
    x = batchnorm2d(x, 0.1)
    return relu(x + input)


@kernel(array(4, 3), array(3, 3), array(3, 3), array(3))
def recurrent_states(inputs, Wx, Wh, b):
    states = np.zeros((len(inputs) + 1, 3))
    for t in range(len(inputs)):
        states[t + 1] = np.tanh(inputs[t] @ Wx + states[t] @ Wh + b)
    return states


@kernel(array(4, 3), array(3), array(3), array(3, low=0.5, high=1.0), writes=("running",))
def batch_norm_training(x, gamma, beta, running):
    mean = x.mean(axis=0)
    var = x.var(axis=0)
    running *= 0.9
    running += 0.1 * mean
    out = np.empty_like(x)
    for i in range(x.shape[0]):
        out[i] = gamma * (x[i] - mean) / np.sqrt(var + 1e-3) + beta
    return out
