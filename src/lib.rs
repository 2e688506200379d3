//! pglens reads PostgreSQL logs.
