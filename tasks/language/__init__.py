"""Language-only multiple choice by likelihood: PIQA, SIQA, HellaSwag, WinoGrande, BoolQ, MMLU."""
