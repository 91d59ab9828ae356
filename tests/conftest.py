"""Shared pieces of the tests."""

import fnmatch
import functools
import os
import resource
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

import qssl_tf.cli.main  # noqa: F401 -- quietens TensorFlow before any test imports it

# isort: split
from in_process import run_here

from qssl_tf.errors import UserError
from qssl_tf.quantum.tfq_availability import why_absent

pytest_plugins = ("quick_figures", "suite_parts", "time_budget")
ROOT = Path(__file__).resolve().parents[1]

if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:  # as a shell has it for what it starts in the background
    signal.signal(signal.SIGINT, signal.default_int_handler)  # tests send it, to this process and to those it starts


def run_script(*arguments: object, timeout: float = 300, **environment: str) -> subprocess.CompletedProcess:
    """Run a Python script or module of the project as a user would, from its root."""
    return subprocess.run(
        [sys.executable, *map(str, arguments)],
        cwd=ROOT,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )


# What takes long: whole trials from images to a result, kills, made-up files by thousands, and more circuits, devices
# or pages of what a shorter test does with some. Patterns of test names below `tests/`. `make test` leaves them out,
# `make test-long` runs them.
LONG = (
    "benchmarks/test_faults.py::*",
    "compiler/test_drift.py::test_scaled_errors_are_that_much_less_faithful",
    "compiler/test_fractional.py::test_a_region_that_cannot_make_a_circuit_leaves_the_others",
    "compiler/test_fractional.py::test_a_ring_goes_round_a_square_lattice_without_swaps[[]best-*",
    "compiler/test_fractional.py::test_a_ring_goes_round_a_square_lattice_without_swaps[[]fractional-16]",
    "compiler/test_fractional.py::test_a_ring_goes_round_a_square_lattice_without_swaps[[]standard-*",
    "compiler/test_fractional.py::test_a_ring_on_heavy_hexagons_is_no_worse_than_the_best_seed_of_level_3[[]fake_marrakesh]",
    "compiler/test_fractional.py::test_a_ring_on_heavy_hexagons_is_no_worse_than_the_best_seed_of_level_3[[]fake_sherbrooke]",
    "compiler/test_fractional.py::test_compiled_circuits_have_the_unitary_of_cirq[[]*-6-ring-reuploading]",
    "compiler/test_fractional.py::test_compiled_circuits_have_the_unitary_of_cirq[[]*-[45]-*",
    "compiler/test_fractional.py::test_compiled_circuits_have_the_unitary_of_cirq[[]ecr-head10]",
    "compiler/test_fractional.py::test_compiled_circuits_have_the_unitary_of_cirq[[]rzz-head1[78]]",
    "compiler/test_fractional.py::test_every_angle_of_every_row_is_within_the_bounds[[]reuploading]",
    "compiler/test_fractional.py::test_every_angle_of_every_row_is_within_the_bounds[[]zz]",
    "compiler/test_twin.py::test_data_behind_two_qubit_gates_are_refused",
    "compiler/test_twin.py::test_every_snapshot_has_a_twin[[]*",
    "compiler/test_twin.py::test_expectations_are_those_of_aers_density_matrix[[]fake_brooklyn-*",
    "compiler/test_twin.py::test_expectations_are_those_of_aers_density_matrix[[]fake_johannesburg-*",
    "compiler/test_twin.py::test_expectations_are_those_of_aers_density_matrix[[]fake_paris-0]",
    "compiler/test_twin.py::test_expectations_are_those_of_aers_density_matrix[[]fake_paris-1]",
    "compiler/test_twin.py::test_expectations_are_those_of_aers_density_matrix[[]fake_prague-*",
    "compiler/test_twin.py::test_expectations_are_those_of_aers_density_matrix[[]fake_sherbrooke-]",
    "compiler/test_twin.py::test_gradients_are_those_of_aers_density_matrix",
    "compiler/test_twin.py::test_shots_and_parameter_shifts_are_of_the_same_circuit",
    "compiler/test_working_parts.py::test_every_snapshot_plans_on_working_gates*",
    "data/test_pipeline.py::test_the_shards_of_a_step_are_its_batch[[]4]",
    "data/test_pipeline.py::test_views_made_of_drawn_batches_are_those_made_ahead[[]simclr_blur]",
    "device/test_catalogue.py::test_a_row_says_what_ibms_table_says",
    "cli/test_store.py::test_a_run_goes_on_and_is_probed_where_its_images_lie_now",
    "data/store/test_going_on.py::test_a_killed_making_goes_on",
    "data/test_storing.py::test_a_run_from_the_store_is_the_run_from_memory",
    "device/test_catalogue.py::test_every_snapshot_is_planned*",
    "device/test_catalogue.py::test_the_command_prints_a_table_and_keeps_nothing",
    "device/test_own_backend.py::test_a_simulator_keeps_its_couplers_and_its_noise",
    "device/test_own_backend.py::test_a_snapshot_as_an_object_is_the_one_of_its_name",
    "device/test_own_backend.py::test_what_a_simulator_cannot_run_is_one_line",
    "device/test_own_backend.py::test_without_noise_only_that_of_the_shots_is_left[[]basic]",
    "device/test_own_backend.py::test_without_noise_only_that_of_the_shots_is_left[[]uncalibrated]",
    "distributed/test_peers.py::test_[!a]*",
    "distributed/test_peers.py::test_a_*",
    "distributed/test_peers.py::test_all_[!m]*",
    "distributed/test_strategies.py::*[[]4, tfq*",
    "distributed/test_strategies.py::test_every_kind_of_objective_takes_the_step_of_one_process*",
    "distributed/test_strategies.py::test_target_and_queue_are_equal_on_replicas_with_statistics_of_their_own*",
    "distributed/test_strategies.py::test_shots_and_signs_belong_to_rows_of_the_global_batch*",
    "distributed/test_strategies.py::test_twenty_steps_end_in_the_same_weights*",
    "docs/test_pages.py::*[[]README*]",
    "docs/test_pages.py::*[[]cluster]",
    "docs/test_pages.py::*[[]compare]",
    "docs/test_pages.py::*[[]comparing]",
    "docs/test_pages.py::*[[]contrastive]",
    "docs/test_pages.py::*[[]evaluate]",
    "docs/test_pages.py::*[[]gradients-and-shots]",
    "docs/test_pages.py::*[[]ibm-device]",
    "docs/test_pages.py::*[[]large-batches]",
    "docs/test_pages.py::*[[]large-data]",
    "docs/test_pages.py::*[[]noise*",
    "docs/test_pages.py::*[[]judges]",
    "docs/test_pages.py::*[[]overlaps]",
    "docs/test_pages.py::*[[]objectives]",
    "docs/test_pages.py::*[[]own-*]",
    "docs/test_pages.py::*[[]search]",
    "docs/test_pages.py::*[[]share]",
    "docs/test_pages.py::*[[]shots]",
    "docs/test_pages.py::*[[]snapshots]",
    "docs/test_pages.py::test_a_page_does_what_it_says[[]precision]",
    "docs/test_pages.py::test_a_page_does_what_it_says[[]start]",
    "docs/test_pages.py::test_the_runs_on_cifar_start*",
    "docs/test_snapshots.py::test_the_page_says_what_is_compiled_today*",
    "cli/test_evaluate.py::test_one_command_prints_one_table",
    "evaluation/test_evaluate.py::test_earlier_weights_have_files_of_their_own",
    "evaluation/test_evaluate.py::test_images_without_labels_have_alignment_and_rank",
    "evaluation/test_evaluate.py::test_runs_on_other_images_are_not_compared",
    "evaluation/test_evaluate.py::test_what_the_head_adds_is_drawn_and_stands_on_the_page",
    "evaluation/test_few_labels.py::test_few_labels_are_read_as_logistic_regression_reads_them",
    "evaluation/test_fine_tuning.py::test_the_whole_network_learns_and_the_run_stays",
    "evaluation/test_fine_tuning.py::test_every_part_of_the_network_is_trained",
    "evaluation/test_few_labels.py::test_readings_are_means_of_draws_with_students_interval",
    "evaluation/test_head.py::test_accuracies_are_those_of_models_made_of_the_parts",
    "evaluation/test_probe.py::test_a_probe_skips_unlabelled_images",
    "evaluation/test_probe.py::test_checkpoints_probed_together_come_out_as_alone[[]*",
    "evaluation/test_probe.py::test_files_of_a_probe",
    "evaluation/test_probe.py::test_protocols_differ_in_how_often_images_are_augmented[[]paper-6]",
    "evaluation/test_trained_run.py::test_the_cifar_accuracy_is_that_of_the_card",
    "examples/test_cluster.py::*",
    "examples/test_examples.py::*[[]own_data]",
    "examples/test_examples.py::*[[]own_encoder]",
    "examples/test_examples.py::test_an_example_runs_and_says_how_good_it_is[[]own_circuit]",
    "examples/test_tour.py::*[[]fresh]",
    "examples/test_tour.py::test_it_shows_the_same_kinds_of_things_each_time",
    "models/test_gpu_ready.py::*[[]best]",
    "models/test_gpu_ready.py::*[[]bfloat16]",
    "models/test_gpu_ready.py::*[[]float16]",
    "models/test_gpu_ready.py::*[[]paper]",
    "models/test_gpu_ready.py::*[[]shots]",
    "models/test_gpu_ready.py::test_every_operation_has_a_kernel_for_gpus[[][!d]*",
    "models/test_gpu_ready.py::test_no_operation_takes_double_precision[[][!d]*",
    "models/test_heads.py::test_a_frozen_head_keeps_its_weights[[]*",
    "models/test_precision.py::test_a_run_goes_on_to_the_bits_it_would_have_had[[]*-xla-step-*",
    "models/test_precision.py::test_a_run_goes_on_to_the_bits_it_would_have_had[[]*16-keras-step-views-before]",
    "models/test_precision.py::test_a_run_goes_on_to_the_bits_it_would_have_had[[]*32-keras-step-views-in-step]",
    "models/test_precision.py::test_a_run_goes_on_to_the_bits_it_would_have_had[[]bfloat16-keras-step-views-in-step]",
    "models/test_precision.py::test_a_run_goes_on_to_the_bits_it_would_have_had[[]float16-keras-step-views-in-step]",
    "models/test_gradient_cache.py::test_a_resnet_in_blocks_has_the_gradient_of_all_at_once",
    "models/test_gradient_cache.py::test_a_run_in_chunks_goes_on_to_the_bits_it_would_have_had",
    "models/test_gradient_cache.py::test_whatever_the_head_and_the_numbers_are[[]*one program]",
    "models/test_gradient_cache.py::test_whatever_the_head_and_the_numbers_are[[]bfloat16]",
    "models/test_gradient_cache.py::test_whatever_the_head_and_the_numbers_are[[]shots]",
    "models/test_gradient_cache.py::test_whatever_the_head_and_the_numbers_are[[]spsa]",
    "models/test_precision.py::test_a_scaled_loss_takes_the_steps_of_the_loss",
    "models/test_quantum_head.py::test_expectations_are_cirqs_and_qiskits[[]*-5-3]",
    "models/test_quantum_head.py::test_expectations_are_cirqs_and_qiskits[[]xla-*-amplitude-*",
    "models/test_quantum_head.py::test_expectations_are_cirqs_and_qiskits[[]xla-*-angle_y-*",
    "models/test_quantum_head.py::test_expectations_are_cirqs_and_qiskits[[]xla-*-reuploading-*",
    "models/test_quantum_head.py::test_expectations_are_cirqs_and_qiskits[[]xla-*-zz-*",
    "models/test_quantum_head.py::test_it_trains_saves_and_reloads_in_a_keras_model[[]True-*",
    "models/test_simclr.py::test_encoders_of_any_kind_and_callbacks[[]s*",
    "models/test_simclr.py::test_fit_lowers_the_loss[[][!q]*",
    "models/test_simclr.py::test_whole_models_are_saved_and_loaded[[]classical]",
    "models/test_simclr.py::test_whole_models_are_saved_and_loaded[[]cosines]",
    "models/test_simclr.py::test_whole_models_are_saved_and_loaded[[]fourier]",
    "models/test_simclr.py::test_whole_models_are_saved_and_loaded[[]identity]",
    "models/test_simclr.py::test_whole_models_are_saved_and_loaded[[]mlp]",
    "models/test_simclr.py::test_whole_models_are_saved_and_loaded[[]trigonometric]",
    "models/test_whole_step.py::*[[]shots]",
    "models/test_whole_step.py::test_the_compiled_step_learns_as_the_other[[]classical]",
    "models/test_whole_step.py::test_the_compiled_step_learns_as_the_other[[]noise]",
    "plots/test_pictures.py::test_angles_have_one_panel_a_qubit_in_radians[[]11]",
    "objectives/test_fidelity.py::test_a_run_with_shots_goes_on_to_the_same_bits",
    "objectives/test_custom.py::test_a_run_with_another_objective_than_it_was_begun_with_is_not_resumed[[]{'target*",
    "objectives/test_custom.py::test_labels_arrive",
    "objectives/test_table.py::test_a_step_reaches_every_weight_and_files_keep_all[[]*-classical]",
    "objectives/test_table.py::test_a_step_reaches_every_weight_and_files_keep_all[[][bdnsv]*-quantum]",
    "objectives/test_table.py::test_other_ways_take_the_same_steps[[][bm]*",
    "objectives/test_table.py::test_other_ways_take_the_same_steps[[]*-[crx]*",
    "quantum/test_hilbert_space.py::test_controlled_x_rotations_beat_controlled_z_rotations*",
    "quantum/test_hilbert_space.py::test_layers_cover_more_states_until_they_saturate",
    "quantum/test_inputs.py::*[[]bfloat16-*",
    "quantum/test_inputs.py::*[[]float16-*",
    "quantum/test_inputs.py::test_models_of_every_kind_train_under_every_policy[[]mixed_float16-*",
    "quantum/test_inputs.py::test_nan_is_nan_in_every_mode_and_reaches_the_gradients[[]*shots*",
    "quantum/test_inputs.py::test_sequences_train_in_a_model[[]xla]",
    "quantum/test_inputs.py::test_training_on_nan_is_seen_in_the_loss",
    "quantum/test_noise.py::test_gradients_through_the_measurement_are_those_of_the_density_matrix",
    "quantum/test_noise.py::test_over_rotation_is_all_angles_longer[[]*",
    "quantum/test_noise.py::test_training_under_noise_moves_downhill",
    "quantum/test_pauli_simulator.py::test_gradients_are_central_differences_of_density_matrices[[]farhi]",
    "quantum/test_pauli_simulator.py::test_gradients_are_central_differences_of_density_matrices[[]sim14]",
    "quantum/test_pauli_simulator.py::test_gradients_are_central_differences_of_density_matrices[[]sim1[359]*",
    "quantum/test_pauli_simulator.py::test_gradients_are_central_differences_of_density_matrices[[]tdcnot]",
    "quantum/test_pauli_simulator.py::test_shift_rules_are_exact_without_shots_and_unbiased_with_them",
    "quantum/test_pauli_simulator.py::test_values_are_those_of_density_matrices[[]*-6-*",
    "quantum/test_simulators.py::test_the_simulators_agree[[]*-7]",
    "quantum/test_simulators.py::test_the_simulators_agree[[]all_to_all-10]",
    "quantum/test_statevector.py::test_states_are_cirqs[[]*-6-False]",
    "quantum/test_statevector_gradients.py::test_chunks_do_not_change_exact_values_or_gradients[[]*-[137]]",
    "quantum/test_statevector_gradients.py::test_chunks_do_not_change_exact_values_or_gradients[[]with_shift_gradient-4]",
    "quantum/test_statevector_gradients.py::test_shots_and_signs_of_a_row_do_not_depend_on_its_chunk[[]with_shift_gradient-4]",
    "quantum/test_tfq_gradients.py::test_a_batch_is_the_sum_of_its_rows[[]*-tfq]",
    "quantum/test_tfq_gradients.py::test_a_batch_is_the_sum_of_its_rows[[]parameter_shift-xla]",
    "quantum/test_tfq_gradients.py::test_exact_rules_are_central_differences[[]all_to_all*",
    "quantum/test_tfq_gradients.py::test_exact_rules_are_central_differences[[]farhi-*-parameter_shift-xla]",
    "quantum/test_tfq_gradients.py::test_exact_rules_are_central_differences[[]ring-angle-z-parameter_shift-tfq]",
    "quantum/test_tfq_gradients.py::test_exact_rules_are_central_differences[[]sim*",
    "quantum/test_tfq_gradients.py::test_exact_rules_are_central_differences[[]strongly*",
    "quantum/test_tfq_gradients.py::test_gradient_variance_falls_with_the_number_of_shots[[]tfq]",
    "quantum/test_tfq_gradients.py::test_gradient_variance_falls_with_the_number_of_shots[[]xla]",
    "quantum/test_tfq_gradients.py::test_sampled_gradients_are_unbiased[[]spsa-xla]",
    "search/test_search.py::test_a_chief_and_two_workers_of_which_one_is_killed",
    "search/test_search.py::test_a_killed_search_goes_on_in_the_step_of_its_trial",
    "search/test_search.py::test_ctrl_c_ends_a_search_and_says_how_to_go_on",
    "search/test_search.py::test_the_best_settings_train_on_all_images",
    "search/test_search.py::test_trials_are_ordinary_run_folders_judged_on_held_out_training_images",
    "search/test_strangers.py::*",
    "search/test_trials.py::test_a_folder_that_was_killed_before_its_settings_is_begun_anew",
    "search/test_trials.py::test_every_figure_is_logged_and_true",
    "studies/test_compare.py::test_a_killed_comparison_goes_on_to_the_same_tables",
    "studies/test_device.py::test_what_a_study_keeps_is_what_the_device_run_found",
    "studies/test_noise.py::test_damaged_readings_are_refused",
    "studies/test_noise.py::test_every_device_is_read_and_more_noise_is_a_larger_error",
    "studies/test_report.py::test_equal_records_give_equal_reports",
    "studies/test_report.py::test_the_introduction_says_how_the_classes_are_balanced_and_with_which_plugins",
    "studies/test_report.py::test_the_legend_names_what_is_drawn",
    "studies/test_report.py::test_the_papers_report",
    "studies/test_run.py::test_the_papers_protocol_is_added",
    "studies/test_studies.py::test_the_two_class_run_has_the_papers_39_batches_an_epoch",
    "test_disks.py::*",
    "test_docstrings.py::test_examples_run[[]SimCLR-*",
    "test_environment.py::test_modules_find_the_venv_by_themselves",
    "test_environment.py::test_tensorflow_speaks_when_asked",
    "test_environment.py::test_the_collector_works_again_after_tensorflow_and_leaves_its_objects_alone",
    "test_every_route.py::test_simulators_and_gradients",
    "test_every_route.py::test_the_twin_of_a_device_without_errors",
    "test_every_route.py::test_translator_exports_and_device",
    "test_fuzz.py::*",
    "test_ibmq_infer.py::test_a_killed_run_goes_on_without_running_anything_twice",
    "test_ibmq_infer.py::test_a_measurement_between_layers_is_in_the_exact_values_on_the_device_and_in_the_file",
    "test_ibmq_infer.py::test_a_run_without_probe_or_quantum_head",
    "test_ibmq_infer.py::test_a_snapshot_is_noisy_and_mitigation_helps",
    "test_ibmq_infer.py::test_extrapolation_runs_two_circuits",
    "test_interrupts.py::test_a_command_without_anything_kept_is_begun_again*",
    "test_interrupts.py::test_a_device_run_says_its_name",
    "test_interrupts.py::test_a_device_run_that_is_being_planned_is_begun_again",
    "test_interrupts.py::test_a_run_that_is_finished_but_for_its_figures_is_continued",
    "test_interrupts.py::test_before_anything_began_it_is_one_line_too*",
    "test_interrupts.py::test_ctrl_c_at_the_question_submits_nothing",
    "test_interrupts.py::test_ctrl_c_while_weights_load_is_no_damage",
    "test_interrupts.py::test_waiting_for_a_real_job_says_that_it_goes_on[[]15]",
    "test_interrupts.py::test_waiting_for_a_real_job_says_that_it_goes_on[[]2]",
    "test_keras_classes.py::test_a_learner_loads_with_all_its_parts",
    "test_keras_classes.py::test_a_model_with_a_head_loads_by_its_import_alone[[]import keras, qssl_tf]",
    "test_keras_classes.py::test_a_model_with_a_head_loads_by_its_import_alone[[]import qssl_tf, *",
    "test_keras_classes.py::test_keras_keeps_its_loader",
    "test_old_runs.py::test_a_stopped_one_goes_on_to_its_end",
    "test_old_runs.py::test_it_is_probed_and_reported",
    "test_old_runs.py::test_its_device_result_is_read_and_another_is_made",
    "test_on_device.py::test_a_class_whose_name_is_a_formula_is_text_in_the_table_of_images",
    "test_on_device.py::test_a_real_device_needs_a_word",
    "test_on_device.py::test_few_training_images_calibrate_as_many_as_there_are",
    "test_on_device.py::test_it_is_the_run_of_the_command",
    "test_on_device.py::test_layouts_are_named",
    "test_on_device.py::test_ready_weights_reach_a_device_and_are_drawn_in_a_copy",
    "test_on_device.py::test_the_table_of_images_says_how_far_off_each_expectation_may_be",
    "test_on_device.py::test_twirled_shots_that_do_not_divide_are_used_as_they_come",
    "test_package.py::test_the_installed_commands_go_from_images_to_a_report",
    "test_package.py::test_the_wheel_works_without_the_sources",
    "test_photos.py::test_a_folder_that_was_moved_is_named_on_every_route",
    "test_photos.py::test_some_without_a_label_train_and_are_not_counted",
    "test_photos.py::test_they_go_all_the_way",
    "test_photos.py::test_without_a_label_to_judge_by_there_is_no_probe",
    "test_places.py::test_a_run_may_lie_where_no_locale_can_write_the_name",
    "test_readme.py::test_the_first_two_commands_reach_85_percent",
    "test_report.py::test_black_images_few_images_and_a_single_feature_are_reported_without_a_map[[]*",
    "test_report.py::test_chromium_shows_every_picture",
    "test_report.py::test_it_fits_the_window_and_no_word_of_a_table_is_broken[[]*",
    "test_report.py::test_projector_files_lie_beside_the_curves",
    "test_report.py::test_the_command",
    "test_strange_folders.py::test_commands_give_nothing_of_this_machine_away[[]*",
    "test_strange_folders.py::test_what_is_no_picture_is_not_shown*",
    "test_terminals.py::test_a_closed_terminal_costs_no_step",
    "test_without_tfq.py::test_a_head_without_it_gives_cirqs_expectations",
    "test_without_tfq.py::test_a_run_records_it_only_where_it_is",
    "test_without_tfq.py::test_files_made_without_it_are_read_here",
    "test_without_tfq.py::test_what_is_missing_is_said_with_the_reason",
    "test_workflow.py::test_a_run_hands_out_the_images_that_its_settings_name",
    "test_workflow.py::test_a_run_trains_in_a_thread_that_is_not_the_first",
    "trainers/test_linear_eval.py::test_all_checkpoints_make_a_curve",
    "trainers/test_newest.py::*",
    "trainers/test_pretrain.py::test_a_full_disk_ends_in_one_line_and_resumes",
    "trainers/test_pretrain.py::test_a_killed_run_resumes_to_the_same_bits",
    "trainers/test_pretrain.py::test_a_second_process_on_a_run_is_refused",
    "trainers/test_pretrain.py::test_ctrl_c_keeps_the_step_and_resumes_to_the_same_bits",
    "trainers/test_pretrain_faults.py::test_a_jumping_clock_changes_nothing",
    "trainers/test_pretrain_workers.py::test_a_killed_worker_ends_both_and_others_go_on",
    "trainers/test_pretrain_workers.py::test_a_signal_stops_both_and_one_goes_on",
    "trainers/test_pretrain_workers.py::test_four_processes_and_strangers_at_their_ports",
    "trainers/test_pretrain_workers.py::test_two_devices",
    "trainers/test_pretrain_workers.py::test_two_processes_share_a_run",
    "trainers/test_pretrain_workers.py::test_two_processes_with_statistics_of_their_own",
    "trainers/test_pretrain_workers.py::test_what_cannot_be_is_one_line_and_leaves_nothing[[]flags[01]-*",
    "trainers/test_pretrain_workers.py::test_workers_with_other_settings_name_them",
    "trainers/test_reproduce.py::test_killed_twice_it_ends_with_the_same_report",
    "training/test_checkpoints.py::test_every_flipped_bit_of_a_weight_is_detected",
    "training/test_judges.py::test_simsiam_with_it_raises_none",
    "training/test_judges.py::test_the_run_is_the_same_to_the_last_bit[[]shots]",
    "training/test_long_runs.py::*",
    "training/test_objective_runs.py::test_a_run_that_was_stopped_goes_on_to_the_bits_it_would_have_had[[]*-classical-*",
    "training/test_objective_runs.py::test_a_run_that_was_stopped_goes_on_to_the_bits_it_would_have_had[[]byol]",
    "training/test_objective_runs.py::test_a_run_that_was_stopped_goes_on_to_the_bits_it_would_have_had[[]moco-20-*",
    "training/test_provenance.py::test_a_data_set_that_changes_on_each_load_is_refused",
    "training/test_provenance.py::test_a_plugin_whose_circuit_changed_is_refused",
    "training/test_provenance.py::test_a_search_does_not_go_on_with_other_images",
    "training/test_provenance.py::test_an_encoder_or_a_circuit_that_changed_is_refused",
    "training/test_provenance.py::test_deleted_images_are_detected_on_every_route[[]device]",
    "training/test_provenance.py::test_deleted_images_are_detected_on_every_route[[]probe]",
    "training/test_provenance.py::test_runs_without_recorded_fingerprints_are_read",
    "training/test_session.py::test_noise_that_was_sampled_before_is_named[[]0.1.0-none]",
    "training/test_session.py::test_noise_that_was_sampled_before_is_named[[]0.1.0-readout=0.1]",
    "training/test_twin_runs.py::*",
    "training/test_views_in_step.py::test_the_run_learns_the_same[[]one program]",
)


def is_long(name: str) -> bool:
    """Return whether a test, named as pytest does below `tests/`, is one of LONG."""
    return any(fnmatch.fnmatchcase(name, pattern) for pattern in LONG)


@pytest.hookimpl(tryfirst=True)  # before pytest chooses by mark
def pytest_collection_modifyitems(items):
    """Mark the long tests."""
    for item in items:
        if is_long(item.nodeid.removeprefix("tests/")):
            item.add_marker(pytest.mark.long)


# Tests of what TensorFlow Quantum does, or of what is refused beside it alone; others that name it skip by themselves.
NEEDS_TFQ = (
    "compiler/test_twin.py::test_what_cannot_be_is_said_in_one_line[[]arguments[357]-*",
    "models/test_whole_step.py::test_tensorflow_quantum_is_refused",
    "quantum/test_gradient_rules.py::test_the_head_runs_as_many_circuits",
    "quantum/test_noise.py::test_bad_combinations[[]options[3-6]-*",
    "quantum/test_pauli_simulator.py::test_what_cannot_be_is_said_with_its_reason[[]options[013]-*",
    "quantum/test_pauli_simulator.py::test_auto_samples_noise_where_exact_noise_needs_more_memory_than_there_is",
)


def pytest_runtest_setup(item):
    """Skip what needs TensorFlow Quantum where it cannot be used."""
    name = item.nodeid.removeprefix("tests/")
    if any(fnmatch.fnmatchcase(name, pattern) for pattern in NEEDS_TFQ) and why_absent():
        pytest.skip(str(why_absent()))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item):
    """Skip, with the reason, what needs TensorFlow Quantum where it cannot be used, in tests that name it."""
    try:
        return (yield)
    except UserError as error:
        why = why_absent()
        if why is None or not str(error).endswith(f"{why}.") or not names_tfq(item):
            raise
        pytest.skip(why)


def names_tfq(item) -> bool:
    """Return whether a test, its parameters or its file speak of the simulator tfq."""
    values = getattr(getattr(item, "callspec", None), "params", {})
    return "tfq" in str(values) or "tfq" in item.path.read_text()


def pytest_terminal_summary(terminalreporter):
    """Say how much memory the largest of the processes took that the tests ran in or began."""
    largest = max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    terminalreporter.write_line(f"largest process: {largest / 2**20:.1f} GB")


@pytest.fixture(scope="session")
def script():
    return run_script


@pytest.fixture(scope="session")
def here():
    """Like `script`, in this process: for commands that need none of their own, seconds sooner."""
    return functools.partial(run_here, folder=ROOT)


@pytest.fixture(scope="session")
def cifar_dir() -> str:
    folder = os.environ.get("TFDS_DATA_DIR")
    if not folder or not (Path(folder) / "cifar10").is_dir():
        pytest.skip("TFDS_DATA_DIR names no folder with a prepared cifar10")
    return folder


@pytest.fixture(scope="session")
def digits_data():
    from qssl_tf.config import Config
    from qssl_tf.data.sources import load

    return load(Config())


@pytest.fixture(scope="session")
def free_ports():
    """A function (count) -> that many TCP ports that nobody holds."""

    def find(count: int) -> list[int]:
        sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
        ports = [sock.getsockname()[1] for sock in sockets]
        for sock in sockets:
            sock.close()
        return ports

    return find


@pytest.fixture
def small_disk():
    """A function (folder, size) that mounts a file system of that size in memory there, and returns the folder."""
    mounted = []

    def mount(folder: Path, size: str) -> Path:
        folder.mkdir()
        asked = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", folder]
        done = subprocess.run(asked, capture_output=True, check=False)
        if done.returncode:
            pytest.skip(f"tmpfs cannot be mounted here: {done.stderr.decode().strip()}")
        mounted.append(folder)
        return folder

    yield mount
    for folder in mounted:
        subprocess.run(["umount", "--lazy", folder], check=True)


@pytest.fixture
def tensorflow_says(caplog):
    """A function () -> the warnings of TensorFlow's own logger until now."""
    import tensorflow as tf

    logger = tf.get_logger()
    caplog.set_level("WARNING", logger=logger.name)  # whatever another test has set
    logger.addHandler(caplog.handler)
    yield lambda: [record.getMessage() for record in caplog.records]
    logger.removeHandler(caplog.handler)


@pytest.fixture
def own_words():
    """Take back what a test registers: every table is as it was, and no plugin counts as loaded."""
    from qssl_tf import plugins
    from qssl_tf.data.sources import SOURCES
    from qssl_tf.models.encoders import ENCODERS
    from qssl_tf.objectives.custom import FUNCTIONS
    from qssl_tf.objectives.table import OBJECTIVES
    from qssl_tf.quantum.ansatze import ANSATZE
    from qssl_tf.registry import WORDS

    tables = [(table, dict(table)) for table in (ANSATZE, ENCODERS, FUNCTIONS, OBJECTIVES, SOURCES)]
    lists = [(words.own, list(words.own)) for words in WORDS.values()]
    loaded, variable = set(plugins._loaded), os.environ.get(plugins.VARIABLE)
    yield
    plugins._loaded.intersection_update(loaded)
    os.environ.pop(plugins.VARIABLE, None)
    if variable is not None:
        os.environ[plugins.VARIABLE] = variable
    for table, before in tables:
        table.clear()
        table.update(before)
    for words, before in lists:
        words[:] = before
