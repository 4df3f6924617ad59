"""Words that only set going what was asked before: "go", "Please answer now.", "mach weiter".

A text is filler where it is short and every word of it is one of these; in scripts without spaces,
where nothing is left once these phrases are taken out. Questions are no filler, however vague.
"""

from __future__ import annotations

import re
import string

MAX_CHARS = 80

_ENGLISH = """
above accordingly again ahead all alright and answer as asap asked back begin carry commence
continue directly do execute fine finish follow following for further get give given go going good
great here i in instructed instruction instructions it job just keep kindly lets let's looks me
message more move my next no now of off ok okay on onward output perfect please point proceed
produce prompt provide question ready reply request respond response result results resume right
run same so solve solution start sure system task that the then there this to turn up us very we
well will with work yep yes yeah y you your sounds lgtm correct
"""
_GERMAN = """
antworte antworten aufgabe beginne beginnen bitte das den die du fahre fang an fort gerne genau
gut ja jetzt klar los loslegen mach mache machen mal nun nur weiter weitermachen fortfahren starte
starten sie und wie oben leg
"""
_ROMANCE = """
allez alors bien commence commencer continue continuer continuez d'accord daccord oui maintenant
plait plaît poursuis réponds répondez reponds s'il stp svp te vas-y vas vous vasy adelante ahora
claro comienza continua continúa continuar dale empieza favor hazlo por responde responder seguir
sigue siga sí si vale agora comece começa continue faça isso pode prossiga prosseguir responda sim
vai avanti bene certo continua favore inizia ora per piacere procedi prosegui rispondi va
"""
_OTHER_LATIN = """
antwoord begin doe door ga graag nu verder dalej kontynuuj odpowiedz proszę tak teraz zacznij
başla cevapla devam et evet lütfen tamam şimdi
"""
_CYRILLIC = """
ага вперёд вперед да давай давайте далее дальше начинай начни ответь ответьте отвечай пожалуйста
поехали продолжай продолжи продолжайте сейчас теперь хорошо так будь ласка починай продовжуй
"""
_ARABIC_AND_HINDI = """
نعم ابدأ تابع استمر أجب اجب من فضلك الآن حسنا حسناً هيا हाँ हां जारी रखें रखो शुरू करें करो आगे
बढ़ें बढ़ो कृपया उत्तर दें दो अब ठीक है जी
"""
_WORDS = frozenset(
    f"{_ENGLISH}{_GERMAN}{_ROMANCE}{_OTHER_LATIN}{_CYRILLIC}{_ARABIC_AND_HINDI}".split()
)
_UNSPACED = re.compile(  # longer ones first: the first that fits is taken out
    "请继续|請繼續|请回答|請回答|请开始|請開始|继续|繼續|开始|開始|回答|好的|可以|现在|現在|是的|"
    "请|請|好|行|是|对|吧|了|下去|执行|執行|"
    "続けてください|始めてください|答えてください|お願いします|お願い|続けて|続き|始めて|"
    "答えて|ください|進めて|どうぞ|はい|では|今|"
    "계속해주세요|계속하세요|계속해줘|계속해|계속|시작해주세요|시작하세요|시작해줘|시작해|시작|"
    "대답해주세요|답변해주세요|대답해|답변해|해주세요|해줘|네|예|응|지금|진행해주세요|진행해|진행"
)
_SIGNS = string.punctuation + "।。、！，．～…–—“”،"


def is_filler(text: str) -> bool:
    """Whether a text asks for nothing by itself; so it is with one that has no letter or digit."""
    bare = text.strip()
    if not any(map(str.isalnum, bare)):
        return True
    if len(bare) > MAX_CHARS:
        return False
    words = _UNSPACED.sub(" ", bare.lower().replace("’", "'"))
    return all(word in _WORDS or not any(map(str.isalnum, word)) for word in _split(words))


def _split(words: str) -> list[str]:
    """Words without the signs around them; an apostrophe or a hyphen inside stays."""
    return [word.strip(_SIGNS) for word in words.split()]
