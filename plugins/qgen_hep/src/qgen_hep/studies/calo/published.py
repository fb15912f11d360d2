"""Published numbers of the CaloChallenge: other data than ours.

Source: the results of the CaloChallenge, Krause et al., arXiv:2410.21611 (October 2024). Data set 1
has photons of 15 energies from 256 MeV to 4 TeV in the voxels of our photons, data set 2 electrons
of 1 GeV to 1 TeV in 6480 voxels; both are simulated by Geant4.
"""

from __future__ import annotations

from dataclasses import dataclass

SOURCE = "CaloChallenge, arXiv:2410.21611, October 2024"


@dataclass(frozen=True)
class Submission:
    """A row of the CaloChallenge.

    Args:
        model: its name; Geant4 is one sample of the simulation against another.
        data_set: the number of the data set.
        auc: of the networks of voxels and of high-level features.
        fpd: the Frechet distance, times 1000.
        kpd: the kernel distance, times 1000.
        milliseconds: for a shower on a processor, in batches of 1, 100 and 10,000; None: not given.
    """

    model: str
    data_set: int
    auc: tuple[float, float]
    fpd: float
    kpd: float
    milliseconds: tuple[float, float, float] | None = None


#: The models of these papers, others on data set 1, and Geant4 against itself.
SUBMISSIONS = (
    Submission("Geant4", 1, (0.499, 0.499), 0.12, 0.03),
    Submission("CaloINN", 1, (0.626, 0.638), 3.90, 0.23, (37.9, 2.78, 2.88)),
    Submission("CaloDiffusion", 1, (0.635, 0.536), 0.65, -0.01, (15677, 4266, 4500)),
    Submission("CaloFlow, teacher", 1, (0.733, 0.636), 3.11, 0.08, (42875, 2053, 1912)),
    Submission("CaloFlow, student", 1, (0.761, 0.667), 3.15, 0.09, (576, 11.1, 6.1)),
    Submission("CaloScore", 1, (0.751, 0.552), 0.44, 0.00, (19324, 9425, 12871)),
    Submission("BoloGAN", 1, (0.927, 0.966), 142, 11.6, (106, 1.7, 0.55)),
    Submission("CaloShower3GAN", 1, (0.928, 0.947), 20.5, 1.16, (480, 56, 1.2)),
    Submission("Geant4", 2, (0.500, 0.499), 10.8, -0.03),
    Submission("CaloDREAM", 2, (0.531, 0.521), 24.6, 0.02, (16942, 5052, 5727)),
    Submission("CaloDiT", 2, (0.984, 0.912), 1691, 11),
)
#: Mean separation powers on data set 1, by family of histograms.
SEPARATIONS: dict[str, dict[str, float]] = {
    "Geant4": {"E_layer": 2.0e-4, "E_tot/E_inc": 4.0e-4, "EC_eta": 4.0e-4},
    "CaloINN": {
        "E_layer": 1.6e-3,
        "E_tot/E_inc": 6.4e-4,
        "EC_eta": 7.1e-4,
        "width_eta": 1.6e-3,
        "sparsity": 9e-4,
    },
}
#: What the papers have, by model. Of CaloINN: its settings for pions of data set 1, and the number
#: of parameters for photons; of CaloDREAM: the shapes of data set 2; of FastCaloGAN: photons.
NETWORKS = {
    "inn": "CaloINN: 12 blocks, 4 x 256, splines of 10 bins; 18.8M parameters",
    "affine": "as inn",
    "cfm": "CaloCFM (document 003): not given",
    "dit": "CaloDREAM: width 480, 6 blocks, 135 tokens",
    "staged-cfm": "document 003: not given",
    "staged-dit": "CaloDREAM: its transformer of energies, then shapes as dit",
    "wgan": "FastCaloGAN: 50-100-200, critic 3 x 368",
}
TRAININGS = {
    "inn": "batches of 512",
    "affine": "as inn",
    "cfm": "not given",
    "dit": "800 epochs, batches of 64",
    "staged-cfm": "not given",
    "staged-dit": "500 epochs of energies, 800 of shapes",
    "wgan": "1,000,000 iterations, batches of 1024",
}
