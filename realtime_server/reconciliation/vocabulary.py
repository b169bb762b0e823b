"""Words for generated books: invented counterparties, and the phrases banks and bookkeepers use."""

from __future__ import annotations

from typing import Final

SURNAMES: Final = (
    "Abbott", "Almeida", "Andersen", "Bauer", "Béranger", "Castellanos", "Chowdhury", "Dąbrowski", "Ekström", "Ferrari",
    "Fitzgerald", "García", "Grönlund", "Haddad", "Hoffmann", "Ivanova", "Jankowski", "Kavanagh", "Kowalska", "Laurent",
    "Lindqvist", "MacLeod", "Marchetti", "Müller", "Nakamura", "Novák", "O'Brien", "Okafor", "Oliveira", "Papadakis",
    "Petrov", "Quigley", "Ramanathan", "Rosenthal", "Sánchez", "Schröder", "Silva", "Szabó", "Thorne", "Ueda",
    "Vandenberg", "Vasquez", "Wainwright", "Weiß", "Whitfield", "Yamamoto", "Zając", "Zimmermann",
)  # fmt: skip

TRADES: Final = (
    "Accounting Services", "Air Freight", "Bakery Supplies", "Building Materials", "Catering", "Chemicals",
    "Cleaning", "Cloud Hosting", "Couriers", "Data Systems", "Electrical", "Engineering", "Equipment Hire",
    "Facilities", "Fuel Cards", "Furniture", "Insurance Brokers", "Laboratories", "Legal", "Logistics", "Machine Tools",
    "Marketing", "Medical", "Office Supplies", "Packaging", "Plumbing", "Power & Gas", "Print & Sign", "Property",
    "Recruitment", "Refrigeration", "Security", "Software", "Stationers", "Steel", "Telecom", "Textiles", "Training",
    "Travel", "Waste Management", "Water Treatment", "Wholesale",
)  # fmt: skip

LEGAL_FORMS: Final = ("Ltd", "LLC", "GmbH", "AG", "SA", "SpA", "BV", "AB", "Inc", "plc", "& Sons", "Group")

RECEIPT_PHRASES: Final = ("Payment received from", "Receipt", "Customer payment", "Sales receipt", "Settlement from")
PAYMENT_PHRASES: Final = ("Payment to", "Supplier payment", "Invoice settled", "Purchase", "Vendor payment")

CREDIT_CHANNELS: Final = ("BANK GIRO", "SEPA CREDIT", "FASTER PYMT", "ACH CREDIT", "WIRE IN")
DEBIT_CHANNELS: Final = ("DIRECT DEBIT", "SEPA DEBIT", "ACH DEBIT", "BILL PAYMENT", "CARD")

BANK_CHARGES: Final = (
    "ACCOUNT SERVICE CHARGE", "WIRE FEE", "INTEREST DEBIT", "FX MARGIN", "CARD TERMINAL RENTAL", "CASH HANDLING FEE",
)  # fmt: skip
BANK_CREDITS: Final = ("INTEREST CREDIT", "UNIDENTIFIED RECEIPT", "REFUND", "CASHBACK", "REMITTANCE NO DETAILS")

LEDGER_ACCOUNTS: Final = ("1010 Operating", "1020 Current", "1030 Receipts")
BANK_ACCOUNTS: Final = ("****4471", "****4498", "****9023")
