"""What the shop sells, known to its front, its backend and its customers."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Product:
    """A product and its price in cents."""

    sku: str
    name: str
    cents: int


PRODUCTS = (
    Product("tea-001", "Sencha 煎茶", 1290),
    Product("tea-002", "Earl Grey “crème”", 890),
    Product("cup-001", "Tasse à café", 1450),
    Product("cup-002", "Kupfer-Teekanne, groß", 8900),
    Product("box-001", "Gift box 🎁", 390),
)
CUSTOMERS = ("Aiko 愛子", "Bjørn", "Chloé", 'Dmitri "Dima"', "Élodie", "François\tX", "Günther", "Zoë")

# Takes the whole price off, which is what the backend's loyalty points were never tried with.
FREE_COUPON = "EVERYTHING-FREE"
BY_SKU = {product.sku: product for product in PRODUCTS}
