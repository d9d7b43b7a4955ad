"""Phantom cohorts with known answers, in the folder layout of the RSNA-MICCAI 2021 challenge.

Every patient is the MNI152 anatomy (ICBM 2009a nonlinear symmetric; Fonov et al., NeuroImage 2011), deformed
at random, given one glioblastoma-like lesion with the parts that BraTS names (oedema, enhancing ring,
necrotic core; Menze et al., IEEE TMI 2015), and rendered as four skull-stripped contrasts. One hidden number
per patient, the latent, drives the look of the lesion, and the label shifts it:

    latent = N(0, 1) + effect * (label - 0.5)

so `effect` is Cohen's d between the classes, and no reader of the images can beat `ideal_auc(effect)` on
average. A higher latent means a larger necrotic core in a thinner, dimmer ring, and patchier oedema. All
other variation (anatomy, place and size of the lesion, contrast, gain, bias field, noise, plane, numbering)
is drawn without looking at the label. At effect 0 the same draws give the same pixels whatever the label.

Volumes are float32 of shape (99, 117, 95), 2 mm voxels, axes to the Right, Anterior, Superior (RAS).
"""

from features.phantom.cohort import ideal_auc, make_phantom
from features.phantom.patient import Patient, make_patient, patient_volumes
from features.scans.find import SEQUENCES

__all__ = ["SEQUENCES", "Patient", "ideal_auc", "make_patient", "make_phantom", "patient_volumes"]
