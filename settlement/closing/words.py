"""The words of the papers of the close in Chinese and English, and how they write figures, days and times."""

from collections.abc import Mapping
from datetime import date
from typing import Final

from goldx.protocol.units import CASH, format_decimal, format_money, format_price, grouped
from settlement.base.working_days import shown_time
from settlement.closing.paper import Language

_WORDS: Final[Mapping[str, tuple[str, str]]] = {
    "page": ("第 {} 页，共 {} 页", "page {} of {}"),
    "day": ("交易日", "Trading day"),
    "account_statement": ("客户结算单", "Statement of account"),
    "house_statement": ("自营结算单", "Statement of own account"),
    "annulled": ("已撤销", "annulled"),
    "member_statement": ("会员结算单", "Statement of member"),
    "member": ("会员", "Member"),
    "account": ("交易账户", "Account"),
    "account_kind": ("账户类别", "Kind of account"),
    "HOUSE": ("自营", "house"),
    "CLIENT": ("客户", "client"),
    "owner": ("客户代码", "Client"),
    "range": ("成交流水范围", "Events"),
    "ended_at": ("日终时间", "Day ended at"),
    "cash": ("资金（元）", "Money (CNY)"),
    "opening": ("上日结存", "Opening"),
    "closing": ("当日结存", "Closing"),
    "item": ("项目", "Item"),
    "balance": ("结存", "Balance"),
    "available": ("可用", "Available"),
    "withdrawable": ("可提", "Withdrawable"),
    "frozen_orders": ("委托冻结", "Frozen for orders"),
    "sale_proceeds": ("当日卖出款（次日可提）", "Proceeds of sales, withdrawable from the next day"),
    "paid_in": ("入金", "Money in"),
    "paid_out": ("出金", "Money out"),
    "bought": ("买入", "Bought"),
    "sold": ("卖出", "Sold"),
    "trading_fees": ("交易手续费", "Trading fees"),
    "bills": ("仓储等费用账单", "Bills of fees"),
    "other": ("其他", "Other"),
    "metal": ("黄金（克，纯重）", "Gold (fine grams)"),
    "symbol": ("品种", "Class"),
    "total": ("合计", "Total"),
    "resale_lock": ("当日买入锁定", "Resale lock"),
    "pledged": ("质押", "Pledged"),
    "held": ("司法冻结", "Legal hold"),
    "load_in": ("入库", "Load-in"),
    "load_out": ("出库", "Load-out"),
    "lots": ("已注册仓单的批次", "Lots under receipt"),
    "lot": ("批次", "Lot"),
    "receipt": ("仓单", "Receipt"),
    "mark": ("标记", "Mark"),
    "warehouse": ("仓库", "Warehouse"),
    "fine": ("纯重（克）", "Fine (g)"),
    "trades": ("成交明细", "Trades"),
    "named_lots": ("指定批次（仓单号）", "Named lots (receipts)"),
    "trade": ("成交号", "Trade"),
    "time": ("时间", "Time"),
    "side": ("买卖", "Side"),
    "BUY": ("买入", "buy"),
    "SELL": ("卖出", "sell"),
    "price": ("价格（元/克）", "Price (CNY/g)"),
    "quantity": ("数量（克）", "Quantity (g)"),
    "amount": ("金额（元）", "Amount (CNY)"),
    "fee": ("手续费（元）", "Fee (CNY)"),
    "cash_movements": ("资金变动", "Movements of money"),
    "metal_movements": ("黄金变动", "Movements of gold"),
    "kind": ("类别", "Kind"),
    "document": ("单据", "Document"),
    "bank_reference": ("银行流水号", "Bank reference"),
    "own": ("本账户（克）", "Own account (g)"),
    "pledged_g": ("质押（克）", "Pledged (g)"),
    "held_g": ("司法冻结（克）", "Legal hold (g)"),
    "sum": ("合计", "Total"),
    "none": ("无", "none"),
    "accounts": ("各账户", "Accounts"),
    "cash_closing": ("资金结存（元）", "Money (CNY)"),
    "metal_closing": ("黄金结存（克）", "Gold (g)"),
    "count": ("成交笔数", "Trades"),
    "hash": ("结算单 SHA-256", "SHA-256 of the statement"),
    "confirm": (
        "请在本交易日（结算单晚于本交易日出具的，为出具日）后 {} 个工作日内通过接口确认或提出异议；逾期未提出异议的，"
        "视为认可本结算单。",
        "Please confirm this statement or object to it over the API; without an objection within {} working days after "
        "the trading day, or after the day on which it was made if that is later, it counts as accepted.",
    ),
    "claim": ("应付交易所款项（元）", "Owed to the venue (CNY)"),
    "claim_sheet": ("应付交易所款项", "Owed to the venue"),
    "made": ("新增（减：撤销）", "Claims made, less ended"),
    "collected": ("已收回", "Collected"),
    "claim_note": (
        "银行已退回或已无银行付款对应的入金被使用后形成应付款；清偿之前本账户不得买入、出金和提货，可以卖出和撤单。",
        "Money that the bank has taken back after it was used is owed, and so is used money that no payment stands "
        "behind any more. Until it is paid, the account may sell and cancel; it does not buy, and neither money nor "
        "metal leaves it.",
    ),
    "differences": (
        "账簿与交易系统日终差异（结转次日）",
        "Differences of ledger and engine, taken over into the next day",
    ),
    "differences_sheet": ("日终差异", "Differences"),
    "in_ledger": ("账簿", "Ledger"),
    "in_engine": ("交易系统", "Engine"),
    "break": ("差异编号", "Break"),
    "differences_note": (
        "本结算单数字以账簿为准；所列差异由两人核对后结转，查清并更正前保持未结。",
        "The figures of this statement are the ledger's. Two people have seen each difference; it stays open as a "
        "break until it is corrected.",
    ),
    "lots_note": (
        "批次为本账户名下仓单所列实物；黄金权益按克计，成交只在注明指定批次时涉及具体批次。",
        "The lots are those of receipts in the name of this account. Title is in grams of a class: a trade is of "
        "certain lots only where it names them.",
    ),
    "bulletin": ("每日行情与库存公告", "Bulletin of the day"),
    "bulletin_about": ("价格、成交量、仓单与库存", "Prices, volumes, gold under receipt and stock"),
    "instruments": ("行情", "Prices and volumes"),
    "open": ("开盘价", "Open"),
    "high": ("最高价", "High"),
    "low": ("最低价", "Low"),
    "closing_price": ("收盘价", "Close"),
    "closing_method": ("收盘价方法", "Close found by"),
    "settlement_price": ("结算价", "Settlement"),
    "settlement_method": ("结算价方法", "Settlement found by"),
    "previous_settlement": ("上日结算价", "Previous settlement"),
    "change": ("涨跌", "Change"),
    "method.AUCTION": ("收盘集合竞价", "closing auction"),
    "method.WINDOW": ("收盘前加权平均", "weighted average of the last minutes"),
    "method.LAST": ("最后成交价", "last trade"),
    "method.AVERAGE": ("当日加权平均", "weighted average of the day"),
    "method.PREVIOUS": ("沿用上日", "as the day before"),
    "method.REFERENCE": ("参考价", "reference price"),
    "method.NONE": ("无", "none"),
    "benchmarks": ("自有基准价（按形态）", "Benchmarks by form"),
    "benchmark": ("基准价", "Benchmark"),
    "previous_benchmark": ("上日基准价", "Previous benchmark"),
    "found_by": ("方法", "Found by"),
    "minimum": ("最低成交量（克）", "Minimum traded (g)"),
    "benchmarks_note": (
        "基准价为该形态各品种当日全部成交（含竞价、协议与询价成交，不含撤销的成交）按重量加权的平均价，"
        "四舍五入至分/克；成交量不足最低成交量时沿用上日。",
        "A benchmark is the average price of all trades of the day in the classes of a form, weighted by quantity and "
        "rounded half up to the fen per gram: of orders, auctions, deals and requests for quotes, without annulled "
        "trades. Where less than the minimum was traded, that of the day before stays.",
    ),
    "trade_kind.book": ("连续竞价", "continuous trading"),
    "trade_kind.auction": ("集合竞价", "auction"),
    "trade_kind.deal": ("协议成交", "deal"),
    "trade_kind.rfq": ("询价成交", "request for quotes"),
    "deals": ("协议成交（不计入价格）", "negotiated deals (no part in prices)"),
    "requests": ("询价成交（不计入价格）", "requests for quotes (no part in prices)"),
    "methods_note": (
        "价格单位为元/克（纯重）。本市场为实物交割、全额保证的现货市场，无持仓量。",
        "Prices are in CNY per fine gram. Everything is put up beforehand and delivered at once: there is no open "
        "interest.",
    ),
    "registered": ("仓单黄金（克，纯重）", "Gold under receipt (fine grams)"),
    "registered_note": (
        "按账簿统计：注册仓单增加，出库与注销减少；出库撤销计入增加。",
        "By the ledger: receipts and cancelled load-outs add; load-outs and receipts taken back take away.",
    ),
    "previous": ("上日", "Previous"),
    "taken_in": ("增加", "In"),
    "given_out": ("减少", "Out"),
    "net_change": ("净变动", "Net change"),
    "stock": ("仓库库存（克）", "Stock of the warehouses (grams)"),
    "gross_and_fine": ("毛重与纯重（纯重自证书签发起计）", "Gross weight, and fine weight from the certificate on"),
    "made_of": ("纯重合计的构成", "What the fine total is made of"),
    "form": ("形态", "Form"),
    "customs": ("海关状态", "Customs"),
    "DOMESTIC": ("境内", "domestic"),
    "BONDED": ("保税", "bonded"),
    "lot_count": ("批次数", "Lots"),
    "gross_previous": ("毛重上日", "Gross previous"),
    "gross_in": ("毛重入库", "Gross in"),
    "gross_out": ("毛重出库", "Gross out"),
    "melt_loss": ("熔损", "Melt loss"),
    "gross_total": ("毛重合计", "Gross total"),
    "fine_previous": ("纯重上日", "Fine previous"),
    "fine_in": ("纯重入库", "Fine in"),
    "fine_out": ("纯重出库", "Fine out"),
    "fine_total": ("纯重合计", "Fine total"),
    "unreceipted": ("未注册仓单", "No receipt"),
    "free": ("可用", "Free"),
    "frozen": ("冻结", "Frozen"),
    "legal_hold": ("司法冻结", "Legal hold"),
    "in_dispute": ("争议", "In dispute"),
    "in_transfer": ("调拨中", "In transfer"),
    "in_grams": ("（克）", " (g)"),
    "form.SCRAP_JEWEL": ("旧料/旧金首饰", "old jewellery"),
    "form.KARAT_ALLOY": ("K金料", "karat alloy"),
    "form.DORE": ("合质金", "doré"),
    "form.NONAPPROVED_BAR": ("非认定企业金条", "bars of other makers"),
    "form.GRAIN": ("金粒", "grain"),
    "record": ("最近一份已签署日终记录", "Newest signed record of a day"),
    "breaks": ("未结差异", "Open breaks"),
    "open_breaks": ("未结数", "Open"),
    "break.HOLDING": ("账户持有：系统与账簿", "holding of engine and ledger"),
    "break.DAY_END": ("日终差异结转：系统与账簿", "taken over from a day's end: engine and ledger"),
    "break.POOL_ENGINE": ("品种总量：系统与账簿", "class in engine and ledger"),
    "break.POOL_LEDGER": ("品种总量：账簿与仓单", "class in ledger and receipts"),
    "break.POSTINGS": ("账簿分录与余额", "entries and balances"),
    "break.RECEIPT": ("仓单与批次", "receipt and lots"),
    "break.STATUS_DIFF": ("状态不符", "status"),
    "break.CUSTOMS_DIFF": ("海关状态不符", "customs status"),
    "break.OWNER_DIFF": ("权属不符", "owner"),
    "break.CERTIFICATE": ("证书与批次", "certificate and lot"),
    "break.TRADES": ("成交与账簿", "trades and ledger"),
    "break.TRADE_FEE": ("成交手续费", "fee of a trade"),
    "break.FEES": ("手续费收入", "fees and fee income"),
    "break.ACCRUAL": ("计提费用", "accrued fees"),
    "break.BILL": ("费用账单", "bill of fees"),
    "break.CASH_DOCUMENTS": ("出入金单据与账簿", "documents of money and ledger"),
    "break.UNIDENTIFIED": ("无单据变动", "without a document"),
    "break.HISTORY": ("登记与变更记录", "register and recorded changes"),
    "break.VENUE_ONLY": ("账有银行无", "in the books, not at the bank"),
    "break.BANK_ONLY": ("银行有账无", "at the bank, not in the books"),
    "break.VENUE_MORE": ("账多银行少", "more in the books than at the bank"),
    "break.BANK_MORE": ("银行多账少", "more at the bank than in the books"),
    "break.DIRECTION_DIFF": ("收付方向不符", "opposite directions"),
    "break.PARTY_DIFF": ("对方不符", "another party"),
    "break.BANK_BALANCE": ("银行余额不符", "balance of the bank"),
    "break.MISSING_AT_WAREHOUSE": ("账有实无", "missing at the warehouse"),
    "break.UNKNOWN_AT_WAREHOUSE": ("实有账无", "unknown at the warehouse"),
    "break.LOCATION_DIFF": ("位置不符", "place"),
    "break.DUPLICATE_SERIAL": ("编号重复", "number twice"),
    "break.WEIGHT_DIFF": ("重量不符", "weight"),
    "break.WEIGHT_DRIFT": ("重量偏移", "weight of all together"),
    "break.FINENESS_DIFF": ("成色不符", "fineness"),
    "break.SEAL_DIFF": ("封签不符", "seal"),
    "break.TIMING": ("调拨在途", "under a transfer"),
    "invoice": ("费用发票", "Invoice of fees"),
    "red_invoice": ("红字发票", "Red invoice"),
    "invoice.ORDINARY": ("增值税普通发票", "Ordinary VAT invoice"),
    "invoice.SPECIAL": ("增值税专用发票", "Special VAT invoice"),
    "seller": ("销售方名称", "Seller"),
    "seller_number": ("销售方纳税人识别号", "Seller's tax number"),
    "buyer": ("购买方名称", "Buyer"),
    "issuer": ("出具方", "Issued by"),
    "invoice_corrections": ("发票更正", "Corrections of invoices"),
    "invoices_corrected": ("当日冲红发票", "Invoices cancelled out"),
    "invoices_corrected_in_part": ("当日部分冲红发票", "Invoices cancelled out in part"),
    "correction": ("更正", "Correction"),
    "tax_number": ("纳税人识别号", "Tax number"),
    "corrects": ("冲红原发票", "Cancels out"),
    "corrects_part": ("部分冲红原发票", "Cancels out part of"),
    "remaining": ("原发票剩余金额", "Left of that invoice"),
    "replaces": ("重开原发票", "In place of"),
    "reason": ("原因", "Reason"),
    "fees": ("费用明细", "Fees"),
    "line": ("行号", "Line"),
    "fee_name": ("费用", "Fee"),
    "base": ("计费基数", "Base"),
    "rate": ("费率", "Rate"),
    "net": ("不含税金额（元）", "Net (CNY)"),
    "tax_rate": ("税率", "Tax rate"),
    "tax": ("税额（元）", "Tax (CNY)"),
    "unit.cny": ("元成交额", "CNY traded"),
    "unit.kg": ("千克", "kg"),
    "unit.gram": ("克", "g"),
    "unit.gram_days": ("克·日", "g x days"),
    "per.gram": ("元/克", "CNY/g"),
    "per.kg": ("元/千克", "CNY/kg"),
    "per.kg_day": ("元/千克·日", "CNY/kg/day"),
    "fee.TRADING": ("交易手续费", "Trading fee"),
    "fee.STORAGE_OWN": ("仓储费（剩余库存）", "Storage, own stock"),
    "fee.STORAGE_BOUGHT": ("仓储费（买入货权）", "Storage, bought title"),
    "fee.STORAGE_LOAD_OUT": ("仓储费（出库当日）", "Storage, load-out day"),
    "fee.FREIGHT_INSURANCE": ("运保费", "Freight and insurance"),
    "fee.LOAD_IN": ("入库费", "Load-in"),
    "fee.LOAD_OUT": ("出库费", "Load-out"),
    "fee.OVERDUE": ("超期补偿费", "Overdue"),
    "fee.UMPIRE": ("仲裁检验费", "Umpire"),
    "use.INVESTMENT": ("申报用途：投资性", "declared use: investment"),
    "use.NON_INVESTMENT": ("申报用途：非投资性", "declared use: not investment"),
    "invoice_note": (
        "费用为含税价；不含税金额 = 含税金额 ÷（1 + 税率），逐行四舍五入到分，税额为其差额。"
        "本单为交易所的费用凭据，税务发票号码由税务系统赋予。",
        "Fees have the tax in them: net = amount / (1 + rate), rounded half up by line; the tax is the rest. "
        "This is the venue's own document: the tax authority's system gives the tax invoice its number.",
    ),
    "red_note": (
        "行号为原发票行号；部分冲红只冲金额，不冲计费基数。税额按该行累计冲红金额计算，再减去该行此前已冲红的税额，"
        "故各次冲红之和不超过、冲完时恰等于原发票该行。",
        "Lines have the numbers that they have on the corrected invoice; a part of an amount has no base. The tax is "
        "that in all that is taken back of a line by now, less the tax that was taken back before: all red invoices "
        "of a line sum to it exactly.",
    ),
    "kind.trade_bust": ("撤销成交", "Annulled trade"),
    "kind.cash": ("出入金", "Money in or out"),
    "kind.receipt": ("入库（仓单注册）", "Load-in (receipt)"),
    "kind.receipt_cancel": ("仓单注销", "Receipt taken back"),
    "kind.pledge": ("质押", "Pledge"),
    "kind.pledge_release": ("解除质押", "Release of a pledge"),
    "kind.legal_hold": ("司法冻结", "Legal hold"),
    "kind.legal_lift": ("解除冻结", "End of a legal hold"),
    "kind.load_out": ("出库（提货）", "Load-out"),
    "kind.load_out_cancel": ("提货撤销", "Load-out cancelled"),
    "kind.correction": ("更正", "Correction"),
    "kind.fee_payout": ("手续费划付", "Payout of fees"),
    "kind.fee": ("费用账单", "Bill of fees"),
    "kind.payment_claim": ("追款（退汇或无付款）", "Claim: payment taken back or missing"),
    "kind.unidentified": ("未识别变动", "Without a document"),
}


def word(language: Language, key: str) -> str:
    """Return a word of the papers in a language; a key that is not known is its own word."""
    found = _WORDS.get(key)
    return key.removeprefix("kind.").removeprefix("break.") if found is None else found[language == "en"]


def money(fen: int) -> str:
    """Return an amount of money in CNY."""
    return grouped(format_money(fen))


def weight(mg: int) -> str:
    """Return a weight in grams, always with three decimals."""
    return grouped(format_decimal(mg, 3))


def price(fen: int) -> str:
    """Return a price in CNY per gram."""
    return grouped(format_price(fen))


def amount(number: int, asset: str) -> str:
    """Return an amount of an asset: money in CNY, gold in fine grams."""
    return money(number) if asset == CASH else weight(number)


def shown_day(language: Language, day: date) -> str:
    """Return a date as it is usual in a language."""
    return f"{day.year}年{day.month}月{day.day}日" if language == "zh" else day.isoformat()


def moment(at: int) -> str:
    """Return a time in Shanghai."""
    return shown_time(at)
