"""The critic and the generator step of the audit game in PyTorch, as configs/cak_paper.yaml has them: time, memory, losses, gradients."""
import argparse
import ctypes
import json
import math
import resource
import struct
import sys
import time

import torch
from torch import nn
from torch.nn import functional as F

LAMBDA = {"gp": 10.0, "comp": 2.0, "recon": 5.0, "reg": 0.01}
TAU, TEMPERATURE = 0.3, 2.0                     # of the first epoch
DEAD = ("critic.conv2.bias", "critic.conv3.bias", "critic.linear.bias")    # their exact gradient in the critic step is zero


# ---- safetensors ----

DTYPES = {"F32": torch.float32, "F64": torch.float64}


def save(path, tensors):
    header, data = {}, bytearray()
    for name, t in tensors.items():
        t = t.detach().contiguous()
        raw = ctypes.string_at(t.data_ptr(), t.numel() * t.element_size())
        kind = next(k for k, v in DTYPES.items() if v == t.dtype)
        header[name] = {"dtype": kind, "shape": list(t.shape), "data_offsets": [len(data), len(data) + len(raw)]}
        data += raw
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as f:
        f.write(struct.pack("<Q", len(text)) + text + data)


def load(path):
    with open(path, "rb") as f:
        header = json.loads(f.read(struct.unpack("<Q", f.read(8))[0]))
        data = bytearray(f.read())
    header.pop("__metadata__", None)
    out = {}
    for name, h in header.items():
        first, last = h["data_offsets"]
        out[name] = torch.frombuffer(data, dtype=DTYPES[h["dtype"]], count=math.prod(h["shape"]), offset=first).reshape(h["shape"])
    return out


# ---- model ----

class Generator(nn.Module):
    def __init__(self, detector):
        super().__init__()
        self.detector = detector
        self.scale = nn.Parameter(torch.ones(1))

    def forward(self, x, c):
        pattern = self.detector(x)
        c = c.view(-1, 1, 1, 1)
        return x + pattern * c * self.scale * torch.sigmoid((c - TAU) * TEMPERATURE), pattern


class Critic(nn.Module):
    def __init__(self, detector):
        super().__init__()
        self.detector = detector
        self.conv1, self.conv2, self.conv3 = (nn.Conv2d(i, o, 4, 2, 1) for i, o in ((1, 32), (32, 64), (64, 128)))
        self.norm2, self.norm3 = nn.InstanceNorm2d(64), nn.InstanceNorm2d(128)
        self.linear = nn.Linear(128, 1)

    def score(self, x):
        h = F.leaky_relu(self.conv1(x), 0.2)
        h = F.leaky_relu(self.norm2(self.conv2(h)), 0.2)
        h = F.leaky_relu(self.norm3(self.conv3(h)), 0.2)
        return self.linear(F.adaptive_avg_pool2d(h, 1).flatten(1)).squeeze(1)

    def forward(self, x, c):
        return self.score(x), (self.detector(x).mean(dim=(1, 2, 3)) - c.view(-1)).abs()


class Game:
    """Both players with their optimisers; the detector belongs to both."""

    def __init__(self, tensors, dtype):
        torch.manual_seed(0)
        detector = nn.Conv2d(1, 1, 3, padding=1)
        self.generator, self.critic = Generator(detector).to(dtype), Critic(detector).to(dtype)
        self.named = {"detector." + k: v for k, v in detector.named_parameters()}
        self.named["generator.scale"] = self.generator.scale
        self.named |= {"critic." + k: v for k, v in self.critic.named_parameters() if not k.startswith("detector.")}
        for name, p in self.named.items():
            p.data.copy_(tensors["param/" + name])
        self.batch = {k: tensors["batch/" + k].to(dtype) for k in ("input", "target", "control", "alpha")}
        self.moved = {"critic": [k for k in self.named if not k.startswith("generator.")],
                      "generator": [k for k in self.named if not k.startswith("critic.")]}
        self.adam = {phase: torch.optim.Adam([self.named[k] for k in names], lr=1e-4, betas=(0.0, 0.9))
                     for phase, names in self.moved.items()}

    def penalty(self, real, fake):
        alpha = self.batch["alpha"]
        x = (alpha * real + (1 - alpha) * fake).requires_grad_(True)
        g = torch.autograd.grad(self.critic.score(x).sum(), x, create_graph=True)[0]
        return ((g.flatten(1).norm(2, dim=1) - 1) ** 2).mean()

    def critic_loss(self):
        b = self.batch
        with torch.no_grad():
            fake, _ = self.generator(b["input"], b["control"])
        (real_score, _), (fake_score, violation) = self.critic(b["target"], b["control"]), self.critic(fake, b["control"])
        adv, gp, comp = real_score.mean() - fake_score.mean(), self.penalty(b["target"], fake), violation.mean()
        loss = -adv + LAMBDA["gp"] * gp + LAMBDA["comp"] * comp
        return loss, {"c_loss": loss, "c_loss.adv": adv, "c_loss.gp": gp, "c_loss.comp": comp}

    def generator_loss(self):
        b = self.batch
        fake, pattern = self.generator(b["input"], b["control"])
        score, violation = self.critic(fake, b["control"])
        adv, comp, recon = score.mean(), violation.mean(), F.l1_loss(fake, b["target"])
        reg = -torch.log(pattern.abs().mean() + 1e-8)
        loss = -adv + LAMBDA["comp"] * comp + LAMBDA["recon"] * recon + LAMBDA["reg"] * reg
        return loss, {"g_loss": loss, "g_loss.adv": adv, "g_loss.comp": comp, "g_loss.recon": recon, "g_loss.reg": reg}

    def step(self, phase):
        adam = self.adam[phase]
        (self.critic if phase == "critic" else self.generator).zero_grad()
        loss, values = self.critic_loss() if phase == "critic" else self.generator_loss()
        loss.backward()
        adam.step()
        return values


# ---- commands ----

def make(o):
    """A batch and the parameters of a fresh model."""
    torch.manual_seed(1)
    b, h, w = (int(n) for n in o.size.split("x"))
    detector = nn.Conv2d(1, 1, 3, padding=1)
    nn.init.xavier_normal_(detector.weight, gain=0.1)
    nn.init.zeros_(detector.bias)
    critic = Critic(detector)
    out = {"param/detector." + k: v for k, v in detector.named_parameters()} | {"param/generator.scale": torch.ones(1)}
    out |= {"param/critic." + k: v for k, v in critic.named_parameters() if not k.startswith("detector.")}
    out |= {"batch/input": torch.rand(b, 1, h, w), "batch/target": torch.rand(b, 1, h, w), "batch/control": torch.rand(b, 1),
            "batch/alpha": torch.rand(b, 1, 1, 1)}
    if o.mix:
        out["batch/target"][::2] = out["batch/input"][::2]
        out["batch/control"][::2] = 0
    save(o.out, out)


def rss():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def run(o):
    base = rss()                                # Python and PyTorch without any work
    torch.set_num_threads(o.threads)
    dtype = torch.float64 if o.double else torch.float32
    game = Game(load(o.tensors), dtype)
    if o.tuned:
        torch.set_flush_denormal(True)
        game.critic.to(memory_format=torch.channels_last)
    values = game.step(o.phase)                 # warms up, and is the one compared
    first = {"value/" + k: v.clone() for k, v in values.items()}
    first |= {"grad/" + k: game.named[k].grad.clone() for k in game.moved[o.phase]}
    times, cpu = [], []
    for _ in range(o.steps):
        start, start_cpu = time.perf_counter(), time.process_time()
        game.step(o.phase)
        times.append(time.perf_counter() - start)
        cpu.append(time.process_time() - start_cpu)
    save(o.out, first)
    json.dump({"times": times, "cpu": cpu, "peak_rss": rss(), "base_rss": base, "torch": torch.__version__}, sys.stdout)
    print()


def distances(a, b):
    """Largest relative distances (L2 of a tensor) of losses and of gradients, and whose; dead biases have no relative distance."""
    worst = {"value": (0.0, "-"), "grad": (0.0, "-")}
    for name in b:
        kind, _, param = name.partition("/")
        if name not in a or (param in DEAD and "value/c_loss" in b):
            continue
        x, y = a[name].double().flatten(), b[name].double().flatten()
        away = float((x - y).norm() / y.norm().clamp_min(1e-30))
        if not away <= worst[kind][0]:          # what is no number, too
            worst[kind] = away, param
    return worst


def compare(o):
    d = distances(load(o.have), load(o.want))
    print(", ".join(f"{word} {d[kind][0]:.1e} ({d[kind][1]})" for kind, word in (("value", "losses"), ("grad", "gradients"))))


def main():
    p = argparse.ArgumentParser(description=__doc__)
    commands = p.add_subparsers(required=True)
    c = commands.add_parser("make")
    c.set_defaults(call=make)
    c.add_argument("size", help="BxHxW")
    c.add_argument("--mix", action="store_true", help="every second sample is an identity")
    c.add_argument("out")
    c = commands.add_parser("run")
    c.set_defaults(call=run)
    c.add_argument("tensors")
    c.add_argument("phase", choices=("critic", "generator"))
    c.add_argument("out")
    c.add_argument("--steps", type=int, default=3)
    c.add_argument("--threads", type=int, default=2)
    c.add_argument("--double", action="store_true")
    c.add_argument("--tuned", action="store_true", help="channels last, denormals flushed")
    c = commands.add_parser("compare")
    c.set_defaults(call=compare)
    c.add_argument("have")
    c.add_argument("want")
    o = p.parse_args()
    o.call(o)


if __name__ == "__main__":
    main()
