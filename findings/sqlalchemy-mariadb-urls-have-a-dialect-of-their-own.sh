#!/usr/bin/env bash
set -euo pipefail
# Behaviour: an engine of `mariadb+pymysql://` has the dialect name "mariadb", one of `mysql+pymysql://` "mysql", though class, compiler and insert construct are those of MySQL.
# Expected: "mysql" for both: the documentation treats MariaDB as a variant of the MySQL dialect, told by `is_mariadb`.
# Source: sqlalchemy/dialects/mysql/mariadb.py; the documentation's page MySQL and MariaDB
# Here: workers/overnight_workers/catalogs/sinks/table.py: both names choose the upsert

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check sqlalchemy==2.0.45 pymysql==1.1.2 || exit 2

"$folder/venv/bin/python" - <<'PYTHON'
import sys

import sqlalchemy
from sqlalchemy import Column, Integer, MetaData, Table, create_engine
from sqlalchemy.dialects.mysql import insert
from sqlalchemy.dialects.mysql.base import MySQLDialect

print(f"SQLAlchemy {sqlalchemy.__version__}")
table = Table("catalog", MetaData(), Column("id", Integer, primary_key=True), Column("n", Integer))
names, same = [], []
for scheme in ("mysql", "mariadb"):
    dialect = create_engine(f"{scheme}+pymysql://shop@db/catalog").dialect
    upsert = insert(table).values(id=1, n=2).on_duplicate_key_update(n=2)
    sql = " ".join(str(upsert.compile(dialect=dialect)).split())
    names.append(dialect.name)
    same.append(isinstance(dialect, MySQLDialect) and "ON DUPLICATE KEY UPDATE" in sql)
    print(f"{scheme}+pymysql: dialect.name = {dialect.name!r}, a MySQLDialect: {isinstance(dialect, MySQLDialect)}; {sql}")
print("So a table of upserts by dialect.name has to have both names, or MariaDB is refused.")
sys.exit(0 if names == ["mysql", "mariadb"] and all(same) else 1)
PYTHON
