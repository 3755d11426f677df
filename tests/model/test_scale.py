from __future__ import annotations

import torch

from colorize_core.model.scale import L_to_net, ab_to_net, net_to_ab, net_to_L


def test_network_scales_invert_each_other():
    L = torch.tensor([0.0, 50.0, 100.0])
    torch.testing.assert_close(L_to_net(L), torch.tensor([-1.0, 0.0, 1.0]))
    torch.testing.assert_close(net_to_L(L_to_net(L)), L)
    ab = torch.tensor([-110.0, 0.0, 55.0])
    torch.testing.assert_close(ab_to_net(ab), torch.tensor([-1.0, 0.0, 0.5]))
    torch.testing.assert_close(net_to_ab(ab_to_net(ab)), ab)
