"""Pure functions from the catalogue: schema, doors, routes, documents."""
