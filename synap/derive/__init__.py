"""Pure functions that derive binders, renderers, the heap image, doors and documents from the catalogue."""
