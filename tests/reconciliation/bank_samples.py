"""Bank files made for the tests, in dialects that banks are known for. Every name and number is invented."""

from __future__ import annotations

ISO = "urn:iso:std:iso:20022:tech:xsd:camt.053.001."
IBAN = "DE89370400440532013000"


def camt(*entries: str, version: str = "02", iban: str = IBAN, currency: str = "EUR", head: str = "") -> str:
    """One statement with these entries."""
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>\n{head}<Document xmlns="{ISO}{version}">\n<BkToCstmrStmt>\n'
        f"<GrpHdr><MsgId>M1</MsgId><CreDtTm>2026-11-03T06:00:00</CreDtTm></GrpHdr>\n"
        + camt_statement(*entries, iban=iban, currency=currency)
        + "</BkToCstmrStmt>\n</Document>\n"
    )


def camt_statement(*entries: str, iban: str = IBAN, currency: str = "EUR") -> str:
    balance = f'<Amt Ccy="{currency}">1000.00</Amt><CdtDbtInd>CRDT</CdtDbtInd><Dt><Dt>2026-11-01</Dt></Dt>'
    return (
        f"<Stmt><Id>S1</Id><Acct><Id><IBAN>{iban}</IBAN></Id><Ccy>{currency}</Ccy><Ownr><Nm>We Ltd</Nm></Ownr></Acct>\n"
        f"<Bal><Tp><CdOrPrtry><Cd>OPBD</Cd></CdOrPrtry></Tp>{balance}</Bal>\n" + "".join(entries) + "</Stmt>\n"
    )


def camt_entry(
    amount: str = "10.50",
    mark: str = "CRDT",
    *,
    currency: str = "EUR",
    reference: str = "",
    status: str = "<Sts>BOOK</Sts>",
    dates: str = "<BookgDt><Dt>2026-11-02</Dt></BookgDt><ValDt><Dt>2026-11-03</Dt></ValDt>",
    reversal: bool = False,
    details: str = "",
    info: str = "",
) -> str:
    """One entry, on lines of its own; ``details``: what is in ``NtryDtls``."""
    return (
        f'<Ntry>\n<Amt Ccy="{currency}">{amount}</Amt><CdtDbtInd>{mark}</CdtDbtInd>'
        + ("<RvslInd>true</RvslInd>" if reversal else "")
        + f"{status}{dates}"
        + (f"<AcctSvcrRef>{reference}</AcctSvcrRef>" if reference else "")
        + "<BkTxCd><Domn><Cd>PMNT</Cd><Fmly><Cd>RCDT</Cd><SubFmlyCd>ESCT</SubFmlyCd></Fmly></Domn></BkTxCd>\n"
        + (f"<NtryDtls>{details}</NtryDtls>" if details else "")
        + (f"<AddtlNtryInf>{info}</AddtlNtryInf>" if info else "")
        + "</Ntry>\n"
    )


CAMT_02 = camt(
    camt_entry(
        reference="2026110200017",
        details="""
<TxDtls>
 <Refs><EndToEndId>E2E-17</EndToEndId><MndtId>MANDATE-4</MndtId></Refs>
 <AmtDtls><TxAmt><Amt Ccy="EUR">10.50</Amt></TxAmt></AmtDtls>
 <RltdPties>
  <Dbtr><Nm>Müller &amp; Söhne GmbH</Nm></Dbtr><DbtrAcct><Id><IBAN>DE02120300000000202051</IBAN></Id></DbtrAcct>
  <Cdtr><Nm>We Ltd</Nm></Cdtr><CdtrAcct><Id><IBAN>DE89370400440532013000</IBAN></Id></CdtrAcct>
 </RltdPties>
 <RmtInf><Ustrd>Invoice 4711</Ustrd><Ustrd>of 1 October</Ustrd></RmtInf>
</TxDtls>""",
    ),
    camt_entry("7", "DBIT", info="ACCOUNT FEE"),
)

#: As from version 08: a party in ``Pty``, a status as a code, instants, the amount in the part itself.
CAMT_08 = camt(
    camt_entry(
        "99.00",
        "DBIT",
        reference="REF-8",
        status="<Sts><Cd>BOOK</Cd></Sts>",
        dates="<BookgDt><DtTm>2026-11-02T23:30:00+01:00</DtTm></BookgDt><ValDt><Dt>2026-11-02</Dt></ValDt>",
        details="""
<TxDtls><Refs><EndToEndId>OUR-PAYMENT-9</EndToEndId></Refs><Amt Ccy="EUR">99.00</Amt><CdtDbtInd>DBIT</CdtDbtInd>
 <AmtDtls><InstdAmt><Amt Ccy="USD">107.91</Amt></InstdAmt></AmtDtls>
 <RltdPties><Dbtr><Pty><Nm>We Ltd</Nm></Pty></Dbtr>
  <Cdtr><Pty><Nm>Acme Inc</Nm></Pty></Cdtr><CdtrAcct><Id><Othr><Id>0012345</Id></Othr></Id></CdtrAcct></RltdPties>
 <RmtInf><Strd><CdtrRefInf><Ref>RF18539007547034</Ref></CdtrRefInf></Strd></RmtInf></TxDtls>""",
    ),
    version="08",
)


def part(amount: str, mark: str = "", *, text: str = "", currency: str = "EUR", reference: str = "") -> str:
    """One of the payments of a batch."""
    return (
        f"\n<TxDtls><Refs>{f'<AcctSvcrRef>{reference}</AcctSvcrRef>' if reference else ''}"
        f"<EndToEndId>{text or 'NOTPROVIDED'}</EndToEndId></Refs>"
        f'<Amt Ccy="{currency}">{amount}</Amt>{f"<CdtDbtInd>{mark}</CdtDbtInd>" if mark else ""}'
        f"<RmtInf><Ustrd>{text}</Ustrd></RmtInf></TxDtls>"
    )


#: In German numbered parts with SEPA's keys, CR LF, within SWIFT's envelope; a reversal; a value date of last year.
MT940_GERMAN = (
    "{1:F01AAAADEFFAXXX0000000000}{2:I940BBBBDEFFXXXXN}{4:\r\n"
    ":20:STARTUMSE\r\n"
    ":25:37040044/0532013000EUR\r\n"
    ":28C:00001/001\r\n"
    ":60F:C260101EUR1000,00\r\n"
    ":61:2512310102CR10,50N062NONREF//4711-1\r\n"
    ":86:166?00SEPA-UEBERWEISUNG?109310?20EREF+A-REFERENCE-THAT-IS-LO?21NGER?22SVWZ+Invoice 4711 of the fi?23rst"
    " of October?30COBADEFFXXX?31DE02120300000000202051?32MUELLER UND SOEHNE GESELLSC?33HAFT MBH?34000\r\n"
    ":61:260102DR7,N033NONREF\r\n"
    "/OCMT/EUR7,00/\r\n"
    ":86:808?00ENTGELT?20Account fee January\r\n"
    ":61:2601020102RC10,50N062NONREF//4711-1\r\n"
    ":86:159?00RETOURE?20EREF+A-17?21SVWZ+Return\r\n"
    ":61:2601020102RD3,00NMSCNONREF\r\n"
    ":62F:C260102EUR985,50\r\n"
    ":86:End of the statement\r\n"
    "-}\r\n"
)

#: As Dutch banks write: an IBAN as the account, named parts, LF, a header of three lines.
MT940_DUTCH = """\
ABNANL2A
940
ABNANL2A
:20:ABN AMRO BANK NV
:25:NL91ABNA0417164300
:28:13501/1
:60F:C261101EUR876,84
:61:2611021102D60,00N426NONREF//0000000001
:86:/TRTP/SEPA OVERBOEKING/IBAN/NL20INGB0001234567/BIC/INGBNL2A/NAME/J. JANS
EN/REMI/Factuur 2026-11 rente/EREF/NOTPROVIDED
:61:2611031103C1200,5NTRFEREF
:86:/EREF/INV-88//CNTP/BE68539007547034/GKCCBEBB/KLANT BV/BRUSSEL//REMI/USTD//Betaling INV-88/
:61:261103C1,00NINTNONREF
:86:CREDIT INTEREST
ON YOUR ACCOUNT
:62F:C261103EUR2018,34
-
"""

OFX_1 = """\
OFXHEADER:100
DATA:OFXSGML
VERSION:102
SECURITY:NONE
ENCODING:USASCII
CHARSET:1252
COMPRESSION:NONE
OLDFILEUID:NONE
NEWFILEUID:NONE

<OFX>
<SIGNONMSGSRSV1><SONRS><STATUS><CODE>0<SEVERITY>INFO</STATUS><DTSERVER>20261103<LANGUAGE>ENG
<INTU.BID>3000</SONRS></SIGNONMSGSRSV1>
<BANKMSGSRSV1><STMTTRNRS><TRNUID>1<STATUS><CODE>0<SEVERITY>INFO</STATUS><STMTRS>
<CURDEF>USD
<BANKACCTFROM><BANKID>121000248<ACCTID>123456789<ACCTTYPE>CHECKING</BANKACCTFROM>
<BANKTRANLIST><DTSTART>20261101<DTEND>20261103
<STMTTRN>
<TRNTYPE>DEBIT
<DTPOSTED>20261102120000[-5:EST]
<TRNAMT>-42.10
<FITID>202611020001
<CHECKNUM>1042
<NAME>AT&T WIRELESS
<MEMO>Bill &amp; fees &lt;October&gt;
</STMTTRN>
<STMTTRN><TRNTYPE>CREDIT<DTPOSTED>20261103<DTAVAIL>20261104<TRNAMT>+1,250.00<FITID>202611030001<NAME>ACME CORP</STMTTRN>
</BANKTRANLIST>
<LEDGERBAL><BALAMT>1000.00<DTASOF>20261103</LEDGERBAL>
</STMTRS></STMTTRNRS></BANKMSGSRSV1>
</OFX>
"""

OFX_2 = """\
<?xml version="1.0" encoding="UTF-8" standalone="no"?>
<?OFX OFXHEADER="200" VERSION="211" SECURITY="NONE" OLDFILEUID="NONE" NEWFILEUID="NONE"?>
<OFX>
<!-- a comment with <STMTTRN> in it -->
<CREDITCARDMSGSRSV1><CCSTMTTRNRS><CCSTMTRS><CURDEF>EUR</CURDEF>
<CCACCTFROM><ACCTID>4111-XX-1111</ACCTID></CCACCTFROM>
<BANKTRANLIST>
<STMTTRN><TRNTYPE>POS</TRNTYPE><DTPOSTED>20261102</DTPOSTED><TRNAMT>-12,5</TRNAMT><FITID>C1</FITID>
 <PAYEE><NAME>Café Zürich</NAME><CITY>Zürich</CITY></PAYEE><MEMO><![CDATA[Lunch <2> & tip]]></MEMO>
 <ORIGCURRENCY><CURRATE>1.05</CURRATE><CURSYM>CHF</CURSYM></ORIGCURRENCY></STMTTRN>
<STMTTRN><TRNTYPE>CREDIT</TRNTYPE><DTPOSTED>20261102</DTPOSTED><TRNAMT>5</TRNAMT><FITID>C2</FITID>
 <NAME>Refund</NAME><MEMO/><CURRENCY><CURRATE>0.9</CURRATE><CURSYM>USD</CURSYM></CURRENCY></STMTTRN>
</BANKTRANLIST></CCSTMTRS></CCSTMTTRNRS></CREDITCARDMSGSRSV1></OFX>
"""
