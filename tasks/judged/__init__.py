"""Free answers that a judge grades: MM-Vet."""
