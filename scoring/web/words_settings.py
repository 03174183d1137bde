"""People and units in words: levels, and why a deed wasn't done."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from callbacks.service.units import UnitFault
from callbacks.vocabulary import UnitLevel
from scoring.people import PersonFault
from scoring.web.language import lazy_gettext as _l

LEVELS: Mapping[StrEnum, object] = {
    UnitLevel.CITY: _l("市级"),
    UnitLevel.COUNTY: _l("县级"),
    UnitLevel.TOWNSHIP: _l("乡镇级"),
}
PERSON_FAULTS: Mapping[StrEnum, object] = {
    PersonFault.LOGIN: _l("用户名用2至40个小写字母、数字、点、横线或下划线，字母开头。"),
    PersonFault.TAKEN: _l("这个用户名已有人使用。"),
    PersonFault.NAME: _l("请写姓名，不超过80字。"),
    PersonFault.UNIT: _l("承办单位的用户须选择单位。"),
    PersonFault.MYSELF: _l("不能停用自己，也不能更改自己的角色和密码；请由另一位系统管理员操作。"),
    PersonFault.NO_RIGHT: _l("您已不是系统管理员，没有更改。"),
    PersonFault.OLD_PASSWORD: _l("现在的密码不对。"),
    PersonFault.SHORT: _l("新密码至少10个字符，不超过200个。"),
    PersonFault.SAME: _l("新密码不能与现在的相同。"),
    PersonFault.DIFFERENT: _l("两次输入的新密码不一样。"),
}
UNIT_FAULTS: Mapping[StrEnum, object] = {
    UnitFault.CODE: _l("代码用1至32个字母、数字、点、横线或下划线，字母或数字开头。"),
    UnitFault.CODE_TAKEN: _l("这个代码已有单位使用。"),
    UnitFault.NAME: _l("请写名称，不超过80字。"),
    UnitFault.NAME_TAKEN: _l("这个名称已有单位使用。"),
    UnitFault.NAME_EN: _l("英文名称不超过120个字符。"),
    UnitFault.PARENT: _l("没有这个上级单位。"),
    UnitFault.CYCLE: _l("上级单位不能是本单位或其下级。"),
    UnitFault.VALID_TO: _l("最后一天不能早于启用日期。"),
}
