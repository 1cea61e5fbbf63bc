"""Where VetChat's figures come from: servers side by side, under the same load, by rules that a run has to keep."""
