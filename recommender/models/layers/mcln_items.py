"""Item vectors of MCLN (Li et al. 2023, SIGIR, the paper's [4]): graph, projected modalities, counterfactual attention.

The published code attends over the batch axis, which makes an item's vector depend on its batch mates and cannot be ranked
over a catalogue. Here attention runs over the item's own modality tokens, so there is one vector per item.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional

from recommender.models.base import ModelError
from recommender.models.layers.graph import Bipartite

if TYPE_CHECKING:
    from recommender.features.modality import Modality
    from recommender.models.base import Inputs


@dataclass(frozen=True)
class ItemConfig:
    """Options of the item vectors, shared by the models that use them."""

    dim: int = 64
    """d: width of item and user vectors."""
    text: bool = True
    """Add W_t f_text to the item vector where text features exist."""
    visual: bool = True
    """Add lambda_m W_v f_visual to the item vector where features of pictures exist."""
    visual_weight: float = 1.0
    """lambda_m, the weight of the picture's part."""
    graph: bool = True
    """Propagate ids over the graph of train interactions; off: g_i is the id's embedding."""
    graph_layers: int = 2
    """Layers of the propagation."""
    receiver_exponent: float = 0.5
    """Exponent of the receiving side's degree in the adjacency; with `sender_exponent` at 0.5 too it is LightGCN's."""
    sender_exponent: float = 0.5
    """Exponent of the sending side's degree."""
    attention: bool = True
    """Add m_i, what counterfactual attention makes of the item's tokens. Needs at least two tokens an item."""
    attention_layers: int = 1
    """Layers of the attention."""

    def require(self, model: str) -> None:
        """ModelError where an option is out of its range."""
        if min(self.dim, self.graph_layers, self.attention_layers) < 1 or self.visual_weight < 0:
            raise ModelError(
                f"recommender.params: {model} needs dim, graph_layers and attention_layers of at least 1 and "
                "visual_weight >= 0"
            )


class MclnItems(nn.Module):
    """e_i = g_i + lambda_m v_i + t_i + m_i, and the parts one by one.

    A token is one of g, v, t. A modality that an item lacks is left out of its attention and adds nothing; one that no
    item has is as if there were none. With one token there is nothing to attend to and no m.
    """

    def __init__(self, config: ItemConfig, inputs: Inputs, users: bool = False) -> None:
        """`users`: learn user vectors even without a graph, for `graph_vectors`."""
        super().__init__()
        self.config = config
        d = config.dim
        self.item = nn.Embedding(inputs.items, d)
        nn.init.normal_(self.item.weight, std=d**-0.5)
        self.user: nn.Embedding | None = None
        self.graph: Bipartite | None = None
        if users or config.graph:
            self.user = nn.Embedding(inputs.users, d)
            nn.init.normal_(self.user.weight, std=d**-0.5)
        if config.graph:
            self.graph = Bipartite(
                inputs.train, inputs.items, config.receiver_exponent, config.sender_exponent
            )
        visual = _of_anyone(inputs.visual) if config.visual else None
        text = _of_anyone(inputs.text) if config.text else None
        self.visual = None if visual is None else Projection(visual, d)
        self.text = None if text is None else Projection(text, d)
        self.modalities = [each for each in (self.visual, self.text) if each is not None]
        masks = [each.present for each in (visual, text) if each is not None]
        present = torch.stack([torch.ones(inputs.items, dtype=torch.bool), *masks], dim=1)
        # Kept out of the state dict: features, not parameters.
        self.register_buffer("present", present, persistent=False)
        self.present: Tensor
        """(I, T) which tokens an item has: g, then v and t as far as there are any."""
        weight = torch.ones(present.shape[1], 1)
        if self.visual is not None:
            weight[1] = config.visual_weight
        self.register_buffer("weight", weight, persistent=False)
        self.weight: Tensor
        self.attention = nn.ModuleList()
        if config.attention and self.modalities:
            self.attention.extend(CounterfactualAttention(d) for _ in range(config.attention_layers))
            self.fuse = nn.Linear(present.shape[1] * d, d)
            # The tokens leave a layer norm with length sqrt(d); an id starts with length 1 and must not drown in m.
            nn.init.normal_(self.fuse.weight, std=0.1 / d)

    def graph_vectors(self) -> tuple[Tensor, Tensor]:
        """(U, d) and (I, d): users' and items' mean over the layers of the propagation; the ids without a graph.

        (0, d) and (I, d) where no users are learnt.
        """
        item = self.item.weight
        user = item[:0] if self.user is None else self.user.weight
        return (
            (user, item) if self.graph is None else self.graph.propagate(user, item, self.config.graph_layers)
        )

    def tokens(self, g: Tensor) -> Tensor:
        """(I, T, d) the tokens of all items, g (I, d) first; zero where an item has none."""
        return torch.stack([g, *(each() for each in self.modalities)], dim=1)

    def heads(self, tokens: Tensor, present: Tensor, other: Tensor) -> tuple[Tensor, Tensor]:
        """(n, H, d) the parts of n items' vectors, g, lambda_m v, t and m as far as there are any, and their mask (n, H).

        `tokens` (n, T, d) and their mask `present` (n, T); `other` (n,) says which of these rows is each one's
        uninteracted item, whose attention map is subtracted.
        """
        parts = tokens * self.weight
        if not self.attention:
            return parts, present
        x = tokens
        for layer in self.attention:
            x = layer(x, present, tokens, other)
        m = functional.relu(self.fuse((x * present[..., None]).flatten(1)))
        return torch.cat([parts, m[:, None]], dim=1), functional.pad(present, (0, 1), value=True)

    def table(self, g: Tensor) -> Tensor:
        """(I, d) e_i from all items' g (I, d), the second of `graph_vectors`."""
        return self.catalogue_heads(g)[0].sum(1)

    def catalogue_heads(self, g: Tensor) -> tuple[Tensor, Tensor]:
        """(I, H, d) and (I, H): `heads` of all items from their g (I, d).

        In training each item's uninteracted one is drawn uniformly, else it is the catalogue's mean.
        """
        tokens, present = self.tokens(g), self.present
        items = len(tokens)
        if self.training:
            other = torch.randint(items, (items,), device=tokens.device)
            return self.heads(tokens, present, other)
        mean = tokens.sum(0, keepdim=True) / present.sum(0)[:, None]
        tokens, present = torch.cat([tokens, mean]), functional.pad(present, (0, 0, 0, 1), value=True)
        other = torch.full((items + 1,), items, device=tokens.device)
        heads, has = self.heads(tokens, present, other)
        return heads[:items], has[:items]


class CounterfactualAttention(nn.Module):
    """softmax(Q K^T - Q' K'^T) V over an item's tokens, ' of an uninteracted item; then linear, FFN, residuals, norms.

    Both maps are scaled by d^-1/2. What the uninteracted tokens attend to is what any item's would: it is taken away.
    """

    def __init__(self, d: int) -> None:
        super().__init__()
        self.query = nn.Linear(d, d, bias=False)
        self.key = nn.Linear(d, d, bias=False)
        self.value = nn.Linear(d, d, bias=False)
        self.out = nn.Linear(d, d)
        self.feed = nn.Sequential(nn.Linear(d, 2 * d), nn.ReLU(), nn.Linear(2 * d, d))
        self.norm_attended = nn.LayerNorm(d)
        self.norm_fed = nn.LayerNorm(d)

    def forward(self, x: Tensor, present: Tensor, tokens: Tensor, other: Tensor) -> Tensor:
        """(n, T, d) of what earlier layers made of the tokens, x (n, T, d); see `MclnItems.heads` for the rest."""
        # Every row's map is made once, then looked up: rows are each other's uninteracted items.
        map_ = self._map(tokens)
        own = map_ if x is tokens else self._map(x)
        both = present[:, :, None] & present[:, None]
        logits = own - (map_ * both)[other]
        weight = torch.softmax(logits.masked_fill(~present[:, None], -torch.inf), dim=-1)
        x = self.norm_attended(x + self.out(weight @ self.value(x)))
        fed: Tensor = self.norm_fed(x + self.feed(x))
        return fed

    def _map(self, x: Tensor) -> Tensor:
        return torch.bmm(self.query(x), self.key(x).transpose(1, 2)) / math.sqrt(x.shape[-1])


class Projection(nn.Module):
    """W f_i for every item. No bias: the zero row of an item without the modality adds nothing."""

    def __init__(self, modality: Modality, d: int) -> None:
        super().__init__()
        self.register_buffer("features", modality.vectors, persistent=False)
        self.features: Tensor
        self.map = nn.Linear(modality.dim, d, bias=False)

    def forward(self) -> Tensor:
        """(I, d)."""
        projected: Tensor = self.map(self.features)
        return projected


def _of_anyone(modality: Modality | None) -> Modality | None:
    """The modality, unless no item has it."""
    return None if modality is None or not modality.present.any() else modality
