"""Compares a run with the bars of bars.json. A formula may use numbers, + - * /, min, max and the names of targets."""

import ast
import json
import operator

OPERATORS = {ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv}
FUNCTIONS = {"min": min, "max": max}


class Unknown(Exception):
    """A target that the formula needs has no result; the text is its name."""


def evaluate(formula, value_of):
    """The formula's value, where value_of(target) is that target's median of the same case (None: no result)."""

    def walk(node):
        if isinstance(node, ast.Expression):
            return walk(node.body)
        if isinstance(node, ast.Constant) and isinstance(node.value, (int, float)):
            return node.value
        if isinstance(node, ast.Name):
            value = value_of(node.id)
            if value is None:
                raise Unknown(node.id)
            return value
        if isinstance(node, ast.BinOp) and type(node.op) in OPERATORS:
            return OPERATORS[type(node.op)](walk(node.left), walk(node.right))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in FUNCTIONS:
            return FUNCTIONS[node.func.id](*[walk(argument) for argument in node.args])
        raise ValueError(f"bars.json: cannot read the formula {formula!r}")

    return walk(ast.parse(formula, mode="eval"))


def compare(path, results, selected, targets):
    """A row for each bar, case and target that belong to this run: verdict is pass, miss or unknown."""
    with open(path, encoding="ascii") as stream:
        table = json.load(stream)
    rows = []
    for bar in table:
        kind = "at_most" if "at_most" in bar else "at_least"
        for case in bar["cases"]:
            for target in bar["targets"]:
                if case not in selected or target not in targets:
                    continue
                row = {"bar": bar["name"], "case": case, "target": target, "formula": f"{kind.replace('_', ' ')} {bar[kind]}",
                       "value": results.median(target, case), "limit": None, "verdict": "unknown"}
                try:
                    row["limit"] = evaluate(bar[kind], lambda name, case=case: results.median(name, case))
                except Unknown as unknown:
                    row["why"] = f"no result of {unknown}"
                if row["value"] is None:
                    row["why"] = f"no result of {target}"
                elif row["limit"] is not None:
                    fine = row["value"] <= row["limit"] if kind == "at_most" else row["value"] >= row["limit"]
                    row["verdict"] = "pass" if fine else "miss"
                rows.append(row)
    return rows
