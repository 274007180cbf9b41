"""SQLAlchemy: inspection and ORM reads; pandas: read_sql."""

import decimal
import time
import warnings

import pandas
from report import HOST, PORT, check
from sqlalchemy import BigInteger, Numeric, String, create_engine, func, inspect, select, text
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

warnings.filterwarnings("ignore")


class Base(DeclarativeBase):
    pass


class Order(Base):
    __tablename__ = "orders"
    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    customer: Mapped[str] = mapped_column(String)
    amount: Mapped[float] = mapped_column(Numeric(10, 2))


for driver in ("psycopg", "psycopg2"):
    engine = create_engine(f"postgresql+{driver}://arus@{HOST}:{PORT}/arus")
    found = inspect(engine)

    def query(statement):
        with engine.connect() as conn:
            return [tuple(r) for r in conn.execute(statement)]

    def orm():
        with Session(engine) as session:
            one = session.get(Order, 1)
            some = session.scalars(select(Order).where(Order.amount > 1).order_by(Order.id)).all()
            counted = session.execute(select(Order.customer, func.count()).group_by(Order.customer).order_by(Order.customer)).all()
            return one.customer, [(o.id, o.amount) for o in some], [tuple(c) for c in counted]

    check(f"{driver} schemas", lambda: sorted(found.get_schema_names()))
    check(f"{driver} tables", lambda: (sorted(found.get_table_names()), found.get_table_names(schema="shop")))
    check(f"{driver} views", lambda: (found.get_view_names(), found.get_view_definition("big_orders")))
    check(f"{driver} columns", lambda: [(c["name"], str(c["type"]), c["nullable"]) for c in found.get_columns("orders")])
    check(f"{driver} key", lambda: found.get_pk_constraint("orders"))
    check(f"{driver} indexes", lambda: found.get_indexes("orders"))
    check(f"{driver} foreign keys", lambda: found.get_foreign_keys("orders"))
    check(f"{driver} unique", lambda: found.get_unique_constraints("orders"))
    check(f"{driver} comment", lambda: found.get_table_comment("orders"))
    check(f"{driver} has table", lambda: (found.has_table("orders"), found.has_table("nope")))
    check(f"{driver} orm", orm)
    check(f"{driver} text", lambda: query(text("SELECT id FROM orders WHERE id = :id").bindparams(id=2)))
    def written():
        with Session(engine) as session:
            session.add_all([Order(id=10, customer="it's", amount=decimal.Decimal("1.25")), Order(id=11, customer=None, amount=None)])
            session.commit()
            session.get(Order, 10).customer = "x"
            session.delete(session.get(Order, 11))
            session.commit()
            found = [(o.id, o.customer, o.amount) for o in session.scalars(select(Order).where(Order.id >= 10).order_by(Order.id))]
            session.delete(session.get(Order, 10))
            session.commit()
        # Another session sees it after a moment.
        for _ in range(1_200):
            if query(select(func.count()).where(Order.id >= 10)) == [(0,)]:
                break
            time.sleep(0.05)
        return found

    check(f"{driver} written", written)

engine = create_engine(f"postgresql+psycopg://arus@{HOST}:{PORT}/arus")
check("pandas read_sql", lambda: pandas.read_sql("SELECT id, customer, price FROM orders ORDER BY id", engine).to_csv())
check("pandas dtypes", lambda: [str(t) for t in pandas.read_sql("SELECT id, price, ok, ts FROM orders WHERE id < 3 ORDER BY id", engine).dtypes])
check("pandas read_sql_table", lambda: pandas.read_sql_table("events", engine).sort_values("id").head(2).to_csv())
