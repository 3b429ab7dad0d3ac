"""The texts of the console, in its two languages."""

from typing import Final

LANGUAGES: Final = {"zh": "中文", "en": "English"}

WORDS: Final[dict[str, dict[str, str]]] = {
    "zh": {
        "title": "行情盘口",
        "connected": "已连接",
        "connecting": "正在连接网关……",
        "stale": "行情已停滞：网关没有响应或收不到成交与委托",
        "standing": "交易停滞：委托未被接受或未被撮合",
        "no_instruments": "交易所尚未定义任何品种",
        "price": "价格 元/克",
        "quantity": "纯重 克",
        "time": "时间",
        "last": "最新价",
        "best_bid": "最优买价",
        "best_ask": "最优卖价",
        "spread": "价差",
        "phase": "阶段",
        "indicative": "集合竞价参考价",
        "trades": "最新成交",
        "closed": "休市",
        "pre_open": "盘前",
        "auction": "集合竞价",
        "continuous": "连续交易",
        "halted": "暂停",
        "traded": "成交量 克",
    },
    "en": {
        "title": "Order book",
        "connected": "connected",
        "connecting": "connecting to the gateway…",
        "stale": "stale: the gateway does not answer, or does not follow the market",
        "standing": "standing still: orders are not taken, or not matched",
        "no_instruments": "the exchange has no instruments yet",
        "price": "price CNY/g",
        "quantity": "fine grams",
        "time": "time",
        "last": "last",
        "best_bid": "best bid",
        "best_ask": "best ask",
        "spread": "spread",
        "phase": "phase",
        "indicative": "indicative price",
        "trades": "last trades",
        "closed": "closed",
        "pre_open": "pre-open",
        "auction": "auction",
        "continuous": "continuous",
        "halted": "halted",
        "traded": "traded grams",
    },
}


def preferred(accept_language: str) -> str:
    """Return the language for a browser's Accept-Language header: Chinese, unless English comes before it."""
    for part in accept_language.lower().split(","):
        language = part.strip()[:2]
        if language in WORDS:
            return language
    return "zh"
