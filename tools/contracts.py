"""A kind of contract that import-linter lacks: what a package may import, and nothing else."""

from __future__ import annotations

from typing import Final, cast

from grimp import ImportGraph
from importlinter import Contract, ContractCheck, fields, output
from importlinter.application.contract_utils import AlertLevel, remove_ignored_imports
from importlinter.domain.imports import ImportExpression


class AllowedImports(Contract):
    """A package imports nothing from outside itself but what is listed; a list of what is forbidden would never end.

    Options:
        package: the package that is kept.
        allowed: the top-level modules that it may import, from anywhere.
        ignore_imports: single imports that are allowed all the same, as in import-linter's own contracts.
    """

    type_name: Final = "allowed"

    package = fields.StringField()
    allowed = fields.SetField(subfield=fields.StringField())
    ignore_imports = fields.SetField(subfield=fields.ImportExpressionField(), required=False)

    def check(self, graph: ImportGraph, verbose: bool) -> ContractCheck:
        """Breaks for every import that leaves the package for a module that is not allowed."""
        package, allowed = cast("str", self.package), cast("set[str]", self.allowed)
        ignored = list(cast("set[ImportExpression] | None", self.ignore_imports) or ())
        warnings = remove_ignored_imports(graph, ignored, AlertLevel.ERROR)
        illegal = sorted(
            f"{module} may not import {imported}"
            for module in {package, *graph.find_descendants(package)}
            for imported in graph.find_modules_directly_imported_by(module)
            if imported.split(".")[0] not in {package, *allowed}
        )
        return ContractCheck(kept=not illegal, warnings=warnings, metadata={"illegal": illegal})

    def render_broken_contract(self, check: ContractCheck) -> None:
        """Prints one line for each import that is not allowed."""
        for line in check.metadata["illegal"]:
            output.print_error(f"- {line}", bold=False)
        output.new_line()
