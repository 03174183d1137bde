"""What an SMSC answers with (SMPP 3.4 §5.1.3). Pure."""

from __future__ import annotations

ROK = 0x00
RINVCMDID = 0x03
RINVDSTADR = 0x0B
RBINDFAIL = 0x0D
RMSGQFUL = 0x14
RSUBMITFAIL = 0x45
RTHROTTLED = 0x58
RX_T_APPN = 0x64
RUNKNOWNERR = 0xFF
