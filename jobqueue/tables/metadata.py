"""What all tables share."""

from sqlalchemy import MetaData
from sqlalchemy.dialects.postgresql import TIMESTAMP

metadata = MetaData(schema="jobqueue")

MOMENT = TIMESTAMP(timezone=True)
