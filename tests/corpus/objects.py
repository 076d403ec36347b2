"""Objects in loops, and all that a class can define."""

import collections
import copy
import dataclasses
from dataclasses import dataclass, field

from corpus.registry import number, program


class Weight:
    rate = 0.5

    def __init__(self, w):
        self.w = w

    @property
    def double(self):
        return self.w * 2.0

    @staticmethod
    def squared(v):
        return v * v

    @classmethod
    def scaled(cls, v):
        return cls(v * cls.rate)

    def __add__(self, other):
        return type(self)(self.w + other.w)

    def __mul__(self, k):
        return Weight(self.w * k)

    def __rmul__(self, k):
        return Weight(self.w * k)

    def __neg__(self):
        return Weight(-self.w)

    def __len__(self):
        return 3

    def __getitem__(self, k):
        return self.w * k

    def __call__(self, x):
        return self.w * x

    def __lt__(self, other):
        return self.w < other.w


class Biased(Weight):
    rate = 0.25

    def __init__(self, w, b):
        super().__init__(w)
        self.b = b

    @property
    def double(self):
        return super().double + self.b


@dataclass
class Settings:
    lr: float = 0.1
    steps: int = 3
    extra: list = field(default_factory=list)

    def __post_init__(self):
        self.total = self.lr * self.steps


@program(number(0.2, 0.9))
def methods_of_every_kind(x):
    a, d = Weight(x), Biased(x * x, 1.0)
    t = 3.0 * (a + Weight.scaled(x) * 2.0)
    value = a.double * d.double + Weight.squared(t.w) + len(a) + a[2] + d(x) + (-a).w
    return value + isinstance(d, Weight) + d.__class__.rate + (1.0 if a < d else 2.0)


@program(number(0.2, 0.9))
def replaced_and_copied(x):
    c = Settings(lr=x)
    c.extra.append(x * 2)
    d = dataclasses.replace(c, steps=4)
    e = copy.copy(c)
    e.lr = e.lr * 2.0
    f = copy.deepcopy(c)
    f.extra.append(x)
    return c.total + d.total * e.lr + c.extra[0] * len(d.extra) + f.extra[1] * len(c.extra) + (1.0 if c == e else 2.0)


@program(number(0.2, 0.9))
def objects_follow_each_other(x):
    previous, current = Biased(x, 1.0), Biased(x * x, 2.0)
    for _ in range(5):
        new = Biased(current.w * 0.5 + previous.w * previous.b, current.b * x)
        previous = current
        current = new
    return current.w * previous.w + previous.b


@program(number(0.2, 0.9))
def lists_change_places(x):
    a, b = [x, 1.0], [x * x, 2.0]
    n = 0.0
    for _ in range(5):
        a, b = b, a
        a[0] = a[0] * 0.5 + b[1]
        n += a[0] * b[0]
    return n


@program(number(0.2, 0.9))
def dict_of_the_last_iteration(x):
    old = None
    t = 0.0
    for i in range(4):
        d = {"v": x * (i + 1)}
        if old is not None:
            t += old["v"] * d["v"]
        old = d
    return t


@program(number(0.2, 0.9))
def tuples_rotate(x):
    p, q = (x, 2.0), (x * x, 1.0)
    for _ in range(3):
        p, q = q, (p[0] * 0.5, q[1] * p[1])
    return p[0] * q[1] + q[0]


@program(number(0.2, 0.9))
def objects_in_a_list(x):
    points = [Biased(x * i, 1.0) for i in range(3)]
    for p in points:
        p.w = p.w * p.w
    return sum(p.w * (k + 1) for k, p in enumerate(points))


@program(number(0.2, 0.9))
def names_and_items_alike(x):
    w = x
    s = {"w": x * 2.0}
    t = (x, x * x)
    t_0 = x * 7.0
    if x > 0.1:
        s["w"] = x * 3.0
        t = (x * 3.0, x)
    return w * s["w"] + t[0] * t_0 + t[1]


@program(number(0.2, 0.9))
def targets_of_every_kind_rotate(x):
    a, b = [1.0, x], x * 2.0
    for _ in range(3):
        b, a[0], a[1] = a[1] * 0.5, b, a[0] * x
    return b * a[0] + a[1]


@program(number(0.2, 0.9))
def deque_and_default_dict(x):
    q = collections.deque([x, x * 2.0])
    q.append(x * 3.0)
    q.appendleft(x * x)
    a = q.popleft() * q.pop()
    sums = collections.defaultdict(float)
    for name, v in [("a", x), ("b", x * x), ("a", 2.0)]:
        sums[name] += v
    return a + len(q) + sums["a"] * sums["b"]


@program(number(0.2, 0.9))
def memory_of_a_recursion(x):
    memo = {}

    def fibonacci(k):
        if k in memo:
            return memo[k]
        r = x if k < 2 else fibonacci(k - 1) + fibonacci(k - 2) * x
        memo[k] = r
        return r

    return fibonacci(6)


@program(number(0.2, 0.9))
def counters_of_their_own(x):
    def counter():
        n = x

        def more(k=1.0):
            nonlocal n
            n = n + k * x
            return n

        return more

    first, second = counter(), counter()
    first()
    first(2.0)
    second()
    return first() * second()
