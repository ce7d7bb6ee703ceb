"""What names of columns mean, in English, German, Spanish and French: axes, distributions, signals, what is neither."""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from polyinv.data.files.units import Unit, plain, split_unit

_MASS = (
    r"(m|mi|mr|mm|mw|mwt|mmass|mass|moleculew(eigh)?t|molar(e)?mass(e)?|mol(ar)?(masse|mass|gewicht|wt|weight)n?|mol?ecularm?(mass|w(eigh)?t|weight)|"
    r"molekulargewicht|molekularmasse|molekuelmasse|masamolar|masamolecular|pesomolecular|pm|massemolaire|"
    r"massemoleculaire|poidsmoleculaire)"
)
_FIRST = r"(slice|calc(ulated)?|app(arent)?|rel(ative)?|calibrated|sec|gpc|each)?"
_DIFFERENTIAL = r"(d|diff|differential|differentielle?r?|diferencial|differentielle)?"
_WEIGHT = (
    r"(w(t|f|eight)?(frac|fract|fraction)?|massenanteil|massenbruch|gewichtsanteil|gewichtsbruch|fraccionenpeso|fraccionmasica|fraccionpeso|"
    r"fractionmassique|fractionenmasse|fractionenpoids|massfraction)"
)
_NUMBER = (
    r"(n|x|number|mole|molar|anzahl|zahl|numero|nombre|zahlenanteil|stoffmengenanteil|molenbruch|fraccionennumero|"
    r"fraccionmolar|fractionennombre|fractionmolaire)(fraction|frac|anteil)?"
)
_SIGNAL_WORD = (
    r"(signal|response|intensity|detector|detektor(signal)?|intensitaet|intensitat|antwort|messsignal|senal|intensidad|"
    r"respuesta|detecteur|reponse|intensite|output|refractiveindex|brechungsindex|indicederefraccion|"
    r"indicederefraction|differentialrefractiveindex|di?fferentielrefraktometer)"
)
_DETECTOR = r"(ri|rid|dri|uv|uvvis|dad|vwd|elsd|ir|uvd|rei|tdri|riu)"
PATTERNS = {
    "log_m": rf"{_FIRST}log(arithmic|arithm(us)?)?(of|de|du|der)?{_FIRST}{_MASS}",
    "ln_m": rf"ln{_MASS}",
    "m": rf"{_FIRST}{_MASS}",
    "w_log": rf"{_FIRST}{_DIFFERENTIAL}{_WEIGHT}(d|per|pro|por|par)?log({_MASS})?|dlogw|dw(t|f)?dlog.*|wlog|wlog{_MASS}|mwdlog",
    "w_m": rf"{_DIFFERENTIAL}{_WEIGHT}(d|per|pro|por|par)?{_MASS}",
    "n_log": rf"{_DIFFERENTIAL}{_NUMBER}(d|per|pro)?log({_MASS})?",
    "n_m": rf"{_DIFFERENTIAL}{_NUMBER}(d|per|pro)?{_MASS}|d?{_NUMBER}(distribution|verteilung)|"
    r"(number|zahlen|numerica|numerique)(distribution|verteilung)|(distribution|distribucion)(en)?(number|numero|nombre|numerica|numerique)"
    r"|numberfraction|zahlenanteil|molefraction|molenbruch",
    "sec": rf"(normali[sz](ed|iert(es)?)|norm|adjusted|adj|corrected|baselinecorrected|korrigiert(es)?|normalizad[oa]|normalisee?)*"
    rf"(sec|gpc|d|{_SIGNAL_WORD})?({_DETECTOR}|{_SIGNAL_WORD})({_SIGNAL_WORD}|ch|channel|kanal|[abcd]|nm)*(normali[sz]ed|norm|normiert|corrected)?",
}
"""Axes and ordinates: letters of a name, in lower case, without accents and units, ``log`` for ``lg``."""
OTHERS = {
    "light scattering": r".*(ls|mals|malls|rals|lals|lightscatter|lichtstreu|dispersiondeluz|luzdispersada|diffusiondelalumiere|diffusiondelumiere"
    r"|rayleigh|wyatt)(\w{0,9})",
    "viscosity": r".*(visc|visk|druck|pressure|presion|pression|intrinsic|grenzviskosi).*|ivdp|ivip|ip|iv|dpt|di?p(signal)?",
    "cumulative": r".*(cum|kum|acum|integral|integriert|integrated|summe|running).*|int(w|wlogm|wt)?|iw|ilogm|im|sumofw.*",
    "time": r"((elution|retention|run|ret|el|retentions|elutions|lauf|reaktions)?(time|zeit|min|minutes?|minuten)|rt|tr|te|rett|trmin|zeitmin|"
    r"tiempo(de(elucion|retencion))?|temps(d(e)?(elution|retention|e?retention))?|t|elut(ion)?time|timeaxis|retentionmin)",
    "volume": r"((elution|retention|ret|el|elutions|retentions|elu)?(vol|volume|volumen|volum)|ve|vr|vh|rv|v|evol|elvol|"
    r"volumen(de(elucion|retencion))?|volume(d(e)?(elution|retention))?|elution|retention|retvolume)",
    "wavelength": r"(wavelength|wellenlaenge|wellenlange|longituddeonda|longueurdonde|lambda)",
    "chain length": r"(chainlength|kettenlaenge|kettenlange|degreeofpolymeri[sz]ation|polymerisationsgrad|longituddecadena|"
    r"longueurdechaine|dpn?|pn|grad(o)?depolimerizacion|degredepolymerisation|monomerunits)",
    "radius": r"(rg|rh|rz|radius(ofgyration)?|hydrodynamicradius|rmsradius|rw|rgz)",
    "concentration": r"(conc|konz|concentration|konzentration|concentracion|c|injectedmass|mass(e)?injected)",
    "area": r"(slice|peak)?(area|flaeche|flache|height|hoehe|hohe|ht|aire|altura|hauteur)|normht|normheight|cumht|areapct|pctarea",
    "index": r"(no|nr|n|num|nummer|numero|index|slice|scheibe|point|punkt|punto|tranche|id|peak|row|zeile|fila|ligne|slicenumber|dataindex|i|k|lfdnr)",
    "standard deviation": r"(sd|std|stdev|stddev|error|fehler|uncertainty|sigma|rse|rsd|err)",
    "remark": r"(remark|bemerkung|comment|note|outsidecalib(ration)?|flag|quality|kommentar|observacion)",
}
"""Columns that are neither: none of them can be M or w."""
AXES, ORDINATES = ("log_m", "m", "ln_m"), ("w_log", "w_m", "n_log", "n_m", "sec")
"""In this order of preference."""
AVERAGES = {
    "Mn": r"mn|numberaverage(d)?(molar|molecular)?(mass|weight|mw)?|zahlenmittel(wert)?|mnsec|mngpc|mnapp|promedioennumero|moyenneennombre|"
    r"masamolarpromedioennumero|massemolairemoyenneennombre|zahlenmittlere(s|re)?mol(masse|armasse|ekulargewicht)?|mnexp|mnmeasured|mnavg",
    "Mw": r"mw|(weight|mass)average(d)?(molar|molecular)?(mass|weight|mw)?|gewichtsmittel(wert)?|massenmittel(wert)?|mwsec|mwgpc|mwapp|"
    r"promedioenpeso|moyenneenmasse|moyenneenpoids|masamolarpromedioenpeso|massemolairemoyenneenmasse|mwexp|mwmeasured|mwavg",
    "Mz": r"mz|zaverage(molar|molecular)?(mass|weight)?|zmittel",
    "Mp": r"mp|peak(molar|molecular)?(mass|weight|mw)|mpeak|peakmax|mpk",
    "D": r"d|pd|pdi|dispersity|polydispersity(index)?|dispersitaet|dispersitat|polydispersitaet|polydispersitat(sindex)?|uneinheitlichkeit|"
    r"mwmn|indicedepolidispersidad|polidispersidad|dispersidad|dispersite|polydispersite|indicedepolydispersite|ip",
}
"""Averages, as reports state them."""


@dataclass(frozen=True)
class Name:
    """Name of a column, its kind if it is known, and the unit in it."""

    text: str
    kind: str | None
    unit: Unit | None


def letters(text: str) -> str:
    """Letters of a name in lower case: no accents, digits or signs, ``log`` for ``lg``.

    Example:
        >>> letters("dw/dlg₁₀(M)"), letters("Molaré Masse"), letters("Đ")
        ('dwdlogm', 'molaremasse', 'd')
    """
    text = plain(text).replace("Đ", "D").replace("Ð", "D").replace("Ɖ", "D").replace("đ", "d").replace("ß", "ss")
    folded = unicodedata.normalize("NFKD", text.lower())
    return re.sub("[^a-z]", "", folded).replace("lg", "log")


@lru_cache(maxsize=4096)
def read_name(text: str, below: str = "") -> Name:
    """Read the name of a column, and the cell of the row of units below it.

    Example:
        >>> [read_name(name).kind for name in ("log M", "Molar mass (kDa)", "dwt/d(logM)", "RT (mins)", "LS 90", "A 7")]
        ['log_m', 'm', 'w_log', 'time', 'light scattering', None]
    """
    base, unit = split_unit(text)
    if below:
        unit = unit or split_unit(below)[1] or split_unit(f"x / {below.strip('[]() ')}")[1]
    return Name(text, _by_unit(_kind(letters(base)), unit), unit)


def _kind(name: str) -> str | None:
    if not name:
        return None
    for kind in ("light scattering", "cumulative", "viscosity"):  # words that decide, whatever else is said
        if re.fullmatch(OTHERS[kind], name):
            return kind
    found = next((kind for kind, pattern in PATTERNS.items() if re.fullmatch(pattern, name)), None)
    return found or next((kind for kind, pattern in OTHERS.items() if re.fullmatch(pattern, name)), None)


def _by_unit(kind: str | None, unit: Unit | None) -> str | None:
    """A kind, where the unit says what the name leaves open."""
    quantity = unit.quantity if unit else None
    if quantity == "per molar mass" and kind in (None, "w_log", "w_m", "m"):
        return "w_m"
    if quantity == "molar mass" and kind in ("concentration", "volume", "time", "index"):
        return None
    if quantity == "per decade" and kind is None:
        return "w_log"
    known = {"time": "time", "volume": "volume", "length": "wavelength", "temperature": "temperature", "signal": "sec"}
    known |= {"concentration": "concentration", "mass concentration": "concentration", "flow": "flow"}
    return known.get(quantity or "", None) if kind is None else kind


def average_of(text: str) -> tuple[str, Unit | None] | None:
    """The average that a name is, with its unit: Mn, Mw, Mz, Mp, D.

    Example:
        >>> average_of("Mn - (Daltons)")[0], average_of("PDI:")[0], average_of("Ret. Vol.")
        ('Mn', 'D', None)
    """
    base, unit = split_unit(text.strip(" :=\t"))
    name = letters(base)
    found = next((kind for kind, pattern in AVERAGES.items() if re.fullmatch(pattern, name)), None)
    return (found, unit) if found else None


def known(names: Sequence[str]) -> int:
    """How many of the names mean something."""
    return sum(read_name(str(name)).kind is not None for name in names if str(name).strip())
